"""Statistics under faults: whether the totals are the requests that clients have counted.

The processes, the faults, and the comparison at the end.
"""
