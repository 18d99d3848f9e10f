"""The feature `rules`: the language of conditions, and lists: named sets of addresses, host names, networks, redirects."""
