"""Load tests: what the server and its exporter cost, and what they stand, on data of real size.

A room a question; each stands on the data set and on what all share, and knows no other room:

    python -m loadtest.dataset              a production-size database, data files, a request log
    python -m loadtest.bench                what a request costs: CPU, memory, time
    python -m loadtest.bench.profiling      where a worker's CPU time goes, by function
    python -m loadtest.changes.freshness    how soon a change reaches clients; an idle watch's cost
    python -m loadtest.changes.swaps        what new snapshots cost those who ask meanwhile
    python -m loadtest.crowd                users as dnf makes them, by locust
    python -m loadtest.exports              what an export costs; `loadtest.exports.plot` draws it
    python -m loadtest.rsync                rsync runs with the filter, against full ones
    python -m loadtest.rsync.filter_cost    what an rsync filter costs the server
    python -m loadtest.soak                 faults at random for minutes, while clients ask

`runs/` keeps what was measured. The product imports nothing from here.
"""
