"""Imports the packages of repositories, with checksums and capabilities, into tables of its own.

Never here: which repositories there are; a scan, or MirrorManager's scanner, finds them.
"""
