"""A PDF's pages: what stands on them (page), how it reads (layout), and hostile ones (guard)."""
