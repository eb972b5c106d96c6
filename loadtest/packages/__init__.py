"""What `mirrorlist packages import` costs, beside the shape of a look-up a row, and its set.

Never here: scans, which find the repositories whose packages are imported; they are in `scans`.
"""
