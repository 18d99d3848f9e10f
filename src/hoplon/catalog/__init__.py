"""What a zone has, read from its traffic: hosts and operations. Pure functions over record tables."""

from hoplon.catalog.seen import Catalogue, SavedTemplate, SeenOperation, seen_operations

__all__ = ["Catalogue", "SavedTemplate", "SeenOperation", "seen_operations"]
