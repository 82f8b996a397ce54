"""The pages: a module a kind, each with `routes(site)`."""
