"""A Hoplon to work with, here (`Local`) or elsewhere (`Remote`): the same members, the same values in and out.

    with Remote("https://hoplon.example:8081", token) as hoplon:
        hoplon.policy.apply(text)

Import from the modules: `remote` brings an HTTP client, `local` the store.
"""
