"""The feature `rules`. So far its lists: named sets of addresses, host names, networks and redirects."""
