"""Python runs this at its start where this folder is on PYTHONPATH: see tests/crashes/inside.py."""

from tests.crashes.inside import obey

obey()
