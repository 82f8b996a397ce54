"""Ten simulated years of the portals, against the product: `python -m tests.decade`."""
