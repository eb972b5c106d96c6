"""Load tests on data of real size: what the server and its exports cost, what faults they survive.

Each package answers one question; it uses `dataset` and `common`, and no other package:

    python -m loadtest.dataset              a production-size database, data files, a request log
    python -m loadtest.bench                what a request costs: CPU, memory, time
    python -m loadtest.bench.profiling      where a worker's CPU time goes, by function
    python -m loadtest.changes.freshness    how soon a change reaches clients; an idle watch's cost
    python -m loadtest.changes.swaps        what a new snapshot costs the clients of that moment
    python -m loadtest.crowd                users that behave like dnf, by locust
    python -m loadtest.exact                statistics under faults: do the totals stay exact?
    python -m loadtest.exports              what an export costs; `loadtest.exports.plot` draws it
    python -m loadtest.exports.turns        a whole export and one of a change, by turns
    python -m loadtest.rsync                rsync runs with the filter, against full ones
    python -m loadtest.rsync.filter_cost    what an rsync filter costs the server
    python -m loadtest.soak                 faults at random for minutes, while clients ask
    python -m loadtest.stats                what questions to the statistics take, against history
    python -m loadtest.stats.addresses      distinct addresses over three servers: the error

`runs/` keeps the figures of runs. The product imports nothing from here.
"""

import sys
from importlib.util import find_spec

if find_spec("mmdb_writer") is None:
    sys.stderr.write("Error: load tests need the packages of development: run `make dev`\n")
    raise SystemExit(2)
