"""What changed since a mirror's last run, as rsync takes it: filters and lists of directories.

As in `lists`, no I/O and no clock. The work may take longer than a list may wait, so it runs as a
job beside the event loop and never on it.
"""
