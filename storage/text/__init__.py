"""Texts as they are compared, shown and found."""
