"""Screening and comparing by the file: CSV in, CSV out, no service needed."""
