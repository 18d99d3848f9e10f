"""Makers of realistic input for tests and benchmarks."""
