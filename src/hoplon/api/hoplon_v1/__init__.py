"""Hoplon's own resources below `/hoplon/v1`: what Cloudflare has no word for."""
