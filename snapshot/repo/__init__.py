"""Lists repositories of a MirrorManager database, points them elsewhere, and expires alternates.

Never here: what the primary mirror holds; that is a scan's.
"""
