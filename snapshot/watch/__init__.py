"""Watches a database, and exports it whenever something in it has changed.

`look` defines what a probe sees, `postgresql` and `sqlite` are the probes, `files` sees changes of
data files, `agenda` decides when to export, `progress` counts, `loop` joins them. A rule about a
row never lives here, nor a statement that reads one: an export is `snapshot.export`'s job.
"""
