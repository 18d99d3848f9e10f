"""The feature `labels`: names that a zone's operations carry, the zone's own and Hoplon's managed ones."""
