"""Files of parties, of pairs and of the whitelist: CSV in, CSV out; what only screens or compares needs no service."""
