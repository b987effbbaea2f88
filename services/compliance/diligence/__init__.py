"""Knowing customers: how risky each is, which documents say who they are, and when they are looked at again."""
