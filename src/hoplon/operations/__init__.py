"""Saved operations: method + host + path template, and what happens to requests that match none."""
