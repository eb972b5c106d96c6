"""What `mirrorlist export` costs at several sizes, and a picture of it.

Never here: a running server; a watch's exports are in `changes`.
"""
