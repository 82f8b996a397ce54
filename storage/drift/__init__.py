"""Whether portals still look as they did: what runs counted, held against each one's history."""
