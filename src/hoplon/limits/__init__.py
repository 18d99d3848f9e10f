"""Rate limits: how often, how much at once, and for whom."""
