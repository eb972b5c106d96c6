"""Statistics of requests: the spool files that servers write and a collector reads.

The server may import `spool` alone, which knows no database.
"""
