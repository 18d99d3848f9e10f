"""Hoplon inside of an application: `Shield` wraps an ASGI application and judges its traffic with the gateway's engine.

Its import is light (the engine and the standard library): no store, no control plane.
"""

from hoplon.asgi.shield import Shield

__all__ = ["Shield"]
