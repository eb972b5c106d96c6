"""A worker's records while it answers: request log, counters, statistics, and the worker's state.

Recording never waits for a disk, a lock or another process. The room `status` reads the records.
"""
