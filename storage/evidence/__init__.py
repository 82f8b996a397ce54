"""Evidence: that nothing in the archive was changed, lost or slipped in (docs/evidence.md)."""
