"""The feature `rules`: the language of conditions, custom rules, and named lists of addresses, host names, networks."""
