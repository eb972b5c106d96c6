"""What every load test uses: servers started and asked, requests, wrk, costs, tables, records.

Never here: a program, a goal, or anything that only one room needs.
"""
