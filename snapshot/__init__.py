"""The backend and the file format: from a MirrorManager database to one snapshot file."""
