"""What a request costs: cases, their measurement, goals, the table, and a profile.

Never here: code that another package needs too (`common`), or that makes the data set (`dataset`).
"""
