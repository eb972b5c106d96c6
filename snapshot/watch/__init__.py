"""Watches a database, and exports it whenever something in it has changed.

`look` says what a change is, `postgresql` and `sqlite` see it, `files` sees those of data files,
`agenda` decides when to export, `progress` counts, `loop` joins them.
"""
