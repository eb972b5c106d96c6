"""Code that all load tests use: starting servers, mixes of requests, wrk, costs, tables, records.

Never here: a program, a goal, or anything that only one room needs.
"""
