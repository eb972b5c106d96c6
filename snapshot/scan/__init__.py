"""Reads the primary mirror, and brings one category of a MirrorManager database to what it holds.

Never here: which host has which directory; that is the crawler's.
"""
