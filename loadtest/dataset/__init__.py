"""A production-size MirrorManager database, seeded: rows, data files, a log, snapshots of them.

The same seed and scale give the same rows in any process. Never here: servers or measurements.
"""
