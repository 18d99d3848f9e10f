"""One file per resource, each with a `router`; `shop.app` lists them in order."""
