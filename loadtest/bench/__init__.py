"""What a request costs: cases, their measurement, goals, the table, and a profile.

Never here: what another room needs too (that is in `common`), or how the data set is made.
"""
