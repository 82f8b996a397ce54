"""Taking away: the archive, or a part of it, as files for other people's tools (docs/exports.md)."""
