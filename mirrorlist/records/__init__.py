"""A worker's records while it answers: the request log, counters, and the worker's own state.

Recording never waits for a disk, a lock or another process. The room `status` reads the records.
"""
