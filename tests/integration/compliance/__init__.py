"""A package, so that one browser lasts as long as its tests, and no longer."""
