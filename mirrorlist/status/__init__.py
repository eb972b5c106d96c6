"""The pages for operators: health, metrics, status and statistics, on ports of their own.

This room only reads the records of others. A failure here never reaches a client that asks for a
list, and no room below imports this one.
"""
