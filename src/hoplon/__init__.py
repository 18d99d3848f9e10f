"""Hoplon, a self-hosted API shield: the package's front door. It imports nothing until something is asked for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoplon._native import Engine

__all__ = ["Engine", "__version__"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("hoplon")
    if name == "Engine":
        from hoplon._native import Engine

        return Engine
    raise AttributeError(f"module 'hoplon' has no attribute {name!r}")
