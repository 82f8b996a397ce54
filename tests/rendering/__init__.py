"""Reports with known truth, printed into every kind of file: one module a kind, with `render`."""
