"""Taking away: the archive, or a part of it, as files for other tools (docs/exports.md)."""
