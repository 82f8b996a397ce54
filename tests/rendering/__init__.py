"""Synthetic reports as files: one module a kind, `render(report) -> bytes`."""
