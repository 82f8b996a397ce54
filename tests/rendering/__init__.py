"""Reports with known truth printed into files: one module a kind, with `render(report)`."""
