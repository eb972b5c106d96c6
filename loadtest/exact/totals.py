"""What the database says in the end, by direct SQL, beside what clients have counted."""

from collections import Counter

from loadtest.exact.clients import Clients
from snapshot.link import linked

Totals = Counter[tuple[str, ...]]

_BY = """SELECT kind, repo, client, status, sum(requests) FROM stat_detail GROUP BY 1, 2, 3, 4"""
_SUMS = {
    "all": "SELECT sum(requests) FROM stat_batch",
    "batches": "SELECT count(*) FROM stat_batch",
    "hours with requests": "SELECT count(DISTINCT hour) FROM stat_hour",
    "addresses": "SELECT sum(estimate) FROM stat_sketch WHERE repo = ''",
    "days of addresses": "SELECT count(*) FROM stat_sketch WHERE repo = ''",
    **{
        f"{unit}s": f"SELECT sum(t.requests) FROM stat_{unit} t JOIN stat_key k ON k.id = t.key_id"
        " WHERE k.cube = 'all'"
        for unit in ("hour", "day", "month")
    },
    "hosts": "SELECT sum(t.requests) FROM stat_day t JOIN stat_key k ON k.id = t.key_id"
    " WHERE k.cube = 'host'",
}
# Three times the standard error of a sketch, of 100.
_MOST_ERROR = 4.9


def totals(url: str) -> Totals:
    """Return the sums by kind, repository, client and status, and some by their names."""
    with linked(url, "loadtest.exact") as link:
        found: Totals = Counter({tuple(map(str, key)): int(n) for *key, n in link.query(_BY)})
        for name, sql in _SUMS.items():
            found[name,] = int(link.query(sql)[0][0] or 0)
    return found


def differences(clients: Clients, found: Totals) -> list[str]:
    """Return a line for each sum that is not what the clients counted."""
    answered = clients.answered
    by_labels = {key: count for key, count in found.items() if len(key) == 4}
    lines = [
        f"{','.join(key)}: {answered[key]} answered, {by_labels.get(key, 0)} counted"
        for key in sorted({*answered, *by_labels})
        if answered[key] != by_labels.get(key, 0)
    ]
    lists = sum(count for (*_, status), count in answered.items() if status == "200")
    wanted = dict.fromkeys(("all", "hours", "days", "months"), answered.total()) | {"hosts": lists}
    lines += [f"{name}: {n}, not {found[name,]}" for name, n in wanted.items() if found[name,] != n]
    # A clock that goes back over midnight makes two days of one.
    if found["days of addresses",] == 1:
        error = 100 * abs(found["addresses",] / max(1, clients.addresses) - 1)
        lines += [f"addresses: {error:.1f} % wrong"] if error > _MOST_ERROR else []
    return lines
