"""Tokens (JWT): which are accepted from where, what operations demand of them, and who may what by their claims."""
