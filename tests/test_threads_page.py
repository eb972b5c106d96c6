"""Every thread and process of the code has its row in docs/operations.md."""

import ast
from functools import cache
from pathlib import Path

from tests.live import ROOT

PAGE = ROOT / "docs" / "operations.md"
# Where a name is given, or as what the code that has none is known: by module.
_STARTS = {"start", "go_on", "Thread", "ThreadPoolExecutor"}
_UNNAMED = {
    "mirrorlist/process/jobs.py": "rsyncFilter",
    "snapshot/export/addresses.py": "DNS names",
    "mirrorlist/replay/run.py": "requests",
    # Given by who starts it, if it is another one.
    "mirrorlist/status/admin.py": "admin",
}
# The one place where threads are made for all others.
_MAKER = "mirrorlist/process/threads.py"


@cache
def starts() -> list[tuple[str, str | None]]:
    """Each place that begins a thread or a pool of them, and the name that it gives."""
    found = []
    for path in sorted([*ROOT.glob("mirrorlist/**/*.py"), *ROOT.glob("snapshot/**/*.py")]):
        module, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        if not any(f"{name}(" in text for name in _STARTS):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and module != _MAKER:
                found += [(module, name) for name in _begun(node)]
    return found


def _begun(call: ast.Call) -> list[str | None]:
    what = call.func.attr if isinstance(call.func, ast.Attribute) else None
    what = call.func.id if isinstance(call.func, ast.Name) else what
    if what not in _STARTS:
        return []
    named = [keyword.value for keyword in call.keywords if "name" in (keyword.arg or "")]
    texts = [
        one.value
        for one in (*call.args, *named)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]
    if what == "start" and not texts:
        return []
    return [texts[0] if texts else None]


def rows() -> str:
    """The table of processes and threads, its first column."""
    section = PAGE.read_text(encoding="utf-8").partition("## Processes and threads")[2]
    table = section.partition("\n## ")[0].splitlines()
    return "\n".join(line.split("|")[1] for line in table if line.startswith("| "))


def test_all_are_found() -> None:
    """The search sees what it is for."""
    found = {name or _UNNAMED.get(module) for module, name in starts()}
    assert {"lifeline", "refresher", "request log", "admin", "watch", "hours"} <= found


def test_each_has_a_row() -> None:
    """What ends a thread, who notices and where it shows stands under its name."""
    table = rows()
    for module, name in starts():
        known = name or _UNNAMED.get(module)
        assert known, f"{module}: a thread without a name"
        assert known in table, f"{module}: no row for the thread {known!r}"


def test_only_one_place_makes_threads() -> None:
    """In a server all threads are those that survive a refusal and their errors."""
    direct = [
        str(path.relative_to(ROOT))
        for path in sorted(Path(ROOT / "mirrorlist").rglob("*.py"))
        if "threading.Thread(" in path.read_text(encoding="utf-8")
    ]
    # The making of a page is not begun again: its client asks again.
    assert direct == [_MAKER, "mirrorlist/replay/deadlines.py", "mirrorlist/status/shared.py"]
