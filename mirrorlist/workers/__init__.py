"""Processes: the supervisor and its workers, from the bound socket to the orderly end.

Forks, the order of starting and ending, and taking changed files into use live here and nowhere
else. This room never reads a request.
"""
