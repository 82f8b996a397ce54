"""When a portal is asked for what: what is due, at what hours, by whose rules."""
