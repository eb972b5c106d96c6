"""What `mirrorlist scan` costs, beside a writer that looks up each row, and the set to scan.

Never here: exports of the database that a scan fills; they are in `exports`.
"""
