"""Faults at random for minutes while clients ask: no answer may fail, and all is well at the end.

Never here: figures to compare between commits. A soak passes or names what failed.
"""
