"""One command per figure, on real parts, printed as `name: value`: `python -m bench NAME`."""
