"""A service of one's own for a while, apart from whatever else is on the same servers."""
