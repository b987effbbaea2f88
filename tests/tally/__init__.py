"""A very small service for testing the plumbing on real parts: it counts, and reports its counts."""
