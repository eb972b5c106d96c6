"""What a worker writes down while it answers: the request log, counters, and how it is itself.

Recording never waits for a disk, a lock or another process. The records are read in `status`.
"""
