"""Malformed and random HTTP against a live server: `python -m tests.hostile --requests 200000`."""
