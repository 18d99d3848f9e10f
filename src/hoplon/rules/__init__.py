"""The feature `rules`: the language of conditions, and named lists of addresses, host names, networks, redirects."""
