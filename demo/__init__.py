"""`make demo`: a stream of payments through the whole suite, on real parts, and an account of what became of it."""
