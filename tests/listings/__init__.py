"""Listings with known truth and planted faults, read through the spider: `python -m tests.listings`."""
