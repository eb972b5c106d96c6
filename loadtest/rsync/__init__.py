"""Measures mirrors' rsync runs with our lists and without, and a list's cost for the server.

Never here: the script that mirrors run (`contrib/`), or its tests.
"""
