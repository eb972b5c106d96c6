"""Breaks the code in small ways, one at a time, and names what no plain test notices.

The ways are cosmic-ray's operators; the sample, and which tests see a mutant first, are ours:
cosmic-ray has one test command for all modules, and the whole plain suite takes a minute. A mutant
meets the tests of its module and the contract first; if it survives these, the whole plain suite.
Everything happens in a copy of the checkout.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from shlex import join

import click
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.plugins import get_operator, operator_names
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkResult

ROOT = Path(__file__).parent.parent
COPY = ROOT / ".cache" / "mutants"
MUTATED = (
    *("mirrorlist/request/*.py", "mirrorlist/catalog/*.py", "mirrorlist/lists/*.py"),
    *("mirrorlist/rsync/*.py", "mirrorlist/service.py", "snapshot/export/*.py"),
    *("snapshot/file/text.py", "snapshot/file/reachable.py", "snapshot/file/redirects.py"),
    *("snapshot/file/filesums.py", "snapshot/packages/*.py", "snapshot/slim/*.py"),
)
"""What makes answers, the exporter's rules, and those about packages."""

NEAR_SECONDS, ALL_SECONDS = 300, 900
PLAIN = ["-m", "not system"]
# These say something of the code's text, which a mutant is expected to change.
_OF_THE_TEXT = ["habits", "docs", "references", "mutants"]

Span = tuple[tuple[int, int], tuple[int, int]]


def _spans(nodes: Iterable[ast.expr]) -> list[Span]:
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in nodes
    ]


def _annotations(source: str) -> list[Span]:
    """Return where types stand, which nobody runs."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        hints = [getattr(node, name, None) for name in ("annotation", "returns")]
        found += [hint for hint in hints if isinstance(hint, ast.expr)]
    return _spans(found)


def mutants(path: Path, source: str) -> Iterator[list[MutationSpec]]:
    """Yield, for each place of a module that can be broken, the ways to do so."""
    places: dict[tuple[object, ...], list[MutationSpec]] = defaultdict(list)
    tree, skipped = get_ast(source), _annotations(source)
    for name in sorted(operator_names()):
        if (kind := get_operator(name)).arguments():
            continue
        operator = kind()
        spans = (one for node in ast_nodes(tree) for one in operator.mutation_positions(node))
        for number, (start, end) in enumerate(spans):
            if not any(first <= start <= last for first, last in skipped):
                spec = MutationSpec(path, name, number, start, end)
                places[start, end, name.partition("_")[0]].append(spec)
    yield from places.values()


def drawn(count: int, seed: int, only: str) -> list[MutationSpec]:
    """Return mutants by chance: first a place, then one way to break it; equal for equal seeds."""
    paths = sorted(path for pattern in MUTATED for path in ROOT.glob(pattern))
    names = [path.relative_to(ROOT) for path in paths]
    places = [
        place
        for name in names
        if only in name.as_posix()
        for place in mutants(name, (ROOT / name).read_text(encoding="utf-8"))
    ]
    rng = Random(seed)
    return [rng.choice(place) for place in rng.sample(places, min(count, len(places)))]


def near_tests(path: Path) -> list[str]:
    """Return the test files that import a module themselves, and the contract."""
    module = ".".join(path.with_suffix("").parts)
    near = [
        test.relative_to(ROOT).as_posix()
        for test in sorted((ROOT / "tests").glob("test_*.py"))
        if f"from {module} import" in test.read_text(encoding="utf-8")
    ]
    return [*near, "tests/test_contract.py"]


def _copy() -> None:
    """Lay the files of the checkout, as they are now, into the copy."""
    shutil.rmtree(COPY, ignore_errors=True)
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)


def _pytest(*arguments: str) -> str:
    ignored = [f"--ignore=tests/test_{name}.py" for name in _OF_THE_TEXT]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *PLAIN]
    return join([*command, "--hypothesis-seed=1", *ignored, *arguments])


def _outcome(mutant: MutationSpec, near: bool) -> WorkResult:
    done = mutate_and_test([mutant], _pytest(*near_tests(mutant.module_path)), NEAR_SECONDS)
    if done.test_outcome is TestOutcome.SURVIVED and not near:
        return mutate_and_test([mutant], _pytest("-n", "2", "--dist", "loadfile"), ALL_SECONDS)
    return done


def _changed(diff: str) -> str:
    """Return the changed lines of a diff, without the file's name."""
    lines = [line for line in diff.splitlines() if line[:1] in "+-"]
    return "\n".join(f"    {line}" for line in lines if line[:3] not in ("---", "+++"))


@click.command(context_settings={"show_default": True})
@click.option("--count", default=60, help="How many mutants to draw.")
@click.option("--seed", default=1, help="Another seed draws others.")
@click.option("--only", default="", help="Part of a path: mutate these modules alone.")
@click.option("--near", is_flag=True, help="The tests of the module and the contract alone.")
def main(count: int, seed: int, only: str, near: bool) -> None:
    """Mutate what makes answers and the exporter's rules; name the mutants that survive."""
    _copy()
    os.chdir(COPY)
    os.environ["PYTHONPATH"] = str(COPY)
    survivors = 0
    sample = drawn(count, seed, only)
    for number, mutant in enumerate(sample, start=1):
        done = _outcome(mutant, near)
        outcome = done.test_outcome.value if done.test_outcome else done.worker_outcome.value
        place = f"{mutant.module_path}:{mutant.start_pos[0]}"
        click.echo(f"{number}/{len(sample)} {outcome} {place} {mutant.operator_name}")
        if outcome != TestOutcome.KILLED.value:
            survivors += 1
            click.echo(_changed(done.diff or done.output or ""))
    click.echo(f"{survivors} of {len(sample)} mutants survive")


if __name__ == "__main__":
    main()
