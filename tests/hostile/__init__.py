"""Archived pages and file names that want to act, and the proof that none of them does."""
