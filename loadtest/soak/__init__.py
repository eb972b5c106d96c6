"""Causes random faults for minutes while clients ask: no answer may fail, and all recovers.

Never here: figures to compare between commits. A soak passes or names what failed.
"""
