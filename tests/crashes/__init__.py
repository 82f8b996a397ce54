"""Crawls that die at every moment, and what they leave: `python -m tests.crashes`."""
