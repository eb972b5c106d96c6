"""The part of a repository that a partial mirror needs: a list for rsync, and repodata of its own.

Never here: packages themselves; rsync brings them.
"""
