"""Bytes nobody wrote, for every reader: `python -m tests.fuzz KIND [--minutes N]`."""
