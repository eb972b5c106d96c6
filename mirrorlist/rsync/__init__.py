"""The directories that changed since a mirror's last run, as filters and lists for rsync.

Like `lists`, this room does no I/O and knows no clock. Its work may take longer than clients of
lists can wait, so it runs as a job beside the event loop and never on it.
"""
