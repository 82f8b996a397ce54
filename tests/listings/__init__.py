"""Listings with known truth and planted faults: `python -m tests.listings`."""
