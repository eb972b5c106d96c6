"""What `mirrorlist sites probe` costs with many mirrors, good and bad, and whether it judges right.

Never here: probes of single mirrors, which tests do.
"""
