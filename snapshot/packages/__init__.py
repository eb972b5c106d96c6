"""Imports the packages of repositories, with their checksums and capabilities, into tables of ours.

Never here: which repositories there are; a scan, or MirrorManager's scanner, finds them.
"""
