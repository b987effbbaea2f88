"""The long run: whether Weir stays as it is while money moves for a long time and its processes come and go."""
