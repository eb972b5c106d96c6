"""A small site without MirrorManager: `mirrors.toml` in, rows of MirrorManager's tables out.

What belongs here: reading the file, saying what is wrong with it, and bringing a database to what
it says. How rows become a snapshot belongs to `snapshot.export`.
"""
