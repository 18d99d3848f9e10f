"""Hoplon inside of an application: three frameworks behind `hoplon.asgi.Shield`, and the engine from plain Python."""
