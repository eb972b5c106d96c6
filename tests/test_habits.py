"""The habits that a tool can hold us to, beyond ruff, mypy and import-linter."""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES = 400
FUNCTION_LINES = 60
# What of the backend the server may know: how to read a snapshot, and how to write a spool file.
KNOWN = ("snapshot.file.", "snapshot.stats.spool.")

# Files with words that CONTRIBUTING.md, "How we write", forbids: the list may only become shorter.
WORDS_LEFT = Path(__file__).parent / "words_left.txt"
# CONTRIBUTING.md shows these words as examples; what was measured stays as it was written.
_NOT_READ = re.compile(r"CONTRIBUTING\.md|tests/(test_habits\.py|words_left\.txt)|loadtest/runs/.*")
_READ_SUFFIXES = {"", ".py", ".md", ".toml", ".yml", ".html", ".conf", ".service", ".timer"}
_READ_FOLDERS = ("mirrorlist", "snapshot", "loadtest", "tests", "docs", "contrib", "scripts")
# A line may end within two words, and the next one may begin with the mark of a comment.
_GAP = r"[\s#*]+"
_FORBIDDEN = re.compile(
    rf"\b([Aa]new|[Ii]ncumbents?|[Ww]hoever|[Ee]rrors?{_GAP}of{_GAP}ours"
    rf"|(?<!there )(?<!There )is{_GAP}none(?! of\b))\b"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Named = Function | ast.ClassDef


def _files(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _parsed(source: str) -> ast.Module:
    """A module, parsed once for all habits: nobody may change it."""
    return ast.parse(source)


@cache
def _nodes(source: str) -> list[ast.AST]:
    """All nodes of a module: to walk through them takes longer than to parse it."""
    return [*ast.walk(_parsed(source))]


def _public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Named]]:
    """The public functions and classes of a module or class, with their dotted names."""
    for node in body:
        if isinstance(node, Named) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix}{node.name}.")


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The modules named by the imports among some nodes; `from snapshot import x` names x."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "snapshot":
            yield from (f"snapshot.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _too_long(source: str) -> list[str]:
    """What is longer than a file or a function may be."""
    found = [f"file: {lines} lines" for lines in [len(source.splitlines())] if lines > FILE_LINES]
    for node in _nodes(source):
        if isinstance(node, Function) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            found += [f"{node.name}: {lines} lines"] * (lines > FUNCTION_LINES)
    return found


def _undocumented(source: str) -> list[str]:
    """The public names of a module, itself included, that have no sentence as a docstring."""
    module = _parsed(source)
    documented = [("module", module), *_public(module.body)]
    return [name for name, node in documented if "." not in (ast.get_docstring(node) or "")]


def _backend_imports(source: str, *, in_commands: bool) -> set[str]:
    """The backend's modules that a server module imports, beyond those that it may know."""
    if "snapshot" not in source:
        return set()
    imported = _imported(_parsed(source).body if in_commands else _loaded(source))
    found = {name for name in imported if name.split(".")[0] == "snapshot"}
    return {name for name in found if not f"{name}.".startswith(KNOWN)}


def _loaded(source: str) -> list[ast.AST]:
    """The nodes of a module but for imports for types alone, which load nothing when it runs."""
    tests = [node for node in _nodes(source) if isinstance(node, ast.If)]
    alone = [node for node in tests if ast.unparse(node.test) == "TYPE_CHECKING"]
    for_types = {inner for node in alone for inner in ast.walk(node)}
    return [node for node in _nodes(source) if node not in for_types]


def _test_imports(source: str) -> list[str]:
    """The test modules that a module imports, or that code in a string of its own does."""
    whole = re.findall(r"\b(?:from|import) (tests(?:\.\w+)*\.test_\w+)", source)
    return whole + re.findall(r"\bfrom tests[.\w]* import .*\b(test_\w+)", source)


def _made_classes(source: str) -> list[str]:
    """The calls of `type` that make a class while the program runs."""
    calls = [node for node in _nodes(source) if isinstance(node, ast.Call)]
    called = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "type"]
    made = [one for one in called if len(one.args) > 1]
    return [f"line {one.lineno}: a class made at run time" for one in made]


def _is_command_line(path: Path) -> bool:
    return path.relative_to(ROOT / "mirrorlist").parts[0].removesuffix(".py") == "cli"


def _forbidden_words(text: str) -> set[str]:
    """The words and phrases in a text that "How we write" replaces by others."""
    return {re.sub(_GAP, " ", found).lower() for found in _FORBIDDEN.findall(text)}


def _texts() -> Iterator[Path]:
    """The files that people read: code, tests, scripts and pages."""
    inside = (path for folder in _READ_FOLDERS for path in (ROOT / folder).rglob("*"))
    for path in sorted([*ROOT.glob("*"), *inside]):
        wanted = path.suffix in _READ_SUFFIXES and not _NOT_READ.fullmatch(_name(path))
        if path.is_file() and wanted and "__pycache__" not in path.parts:
            yield path


def _wrong(find: Callable[[Path, str], Iterable[str]], *packages: str) -> str:
    """Return a line for each thing that is wrong in the files of some packages."""
    files = _files(*packages)
    assert len(files) > 50
    found = ((path, wrong) for path in files for wrong in find(path, path.read_text()))
    return "\n".join(f"{_name(path)}: {wrong}" for path, wrong in found)


def test_lengths() -> None:
    """No file has more than 400 lines and no function more than 60."""
    assert not _wrong(lambda path, source: _too_long(source), "mirrorlist", "snapshot")


def test_public_names_are_documented() -> None:
    """Every public module, class, method and function says in a sentence what it is."""
    assert not _wrong(lambda path, source: _undocumented(source), "mirrorlist", "snapshot")


def test_no_test_module_is_imported() -> None:
    """Tests share what stands in helper modules, never in a test module."""
    assert not _wrong(
        lambda path, source: _test_imports(source) if path != Path(__file__) else (),
        *("tests", "loadtest"),
    )


def test_no_class_is_made_at_run_time() -> None:
    """What a class needs is an argument of its constructor, never a class made around it."""
    assert not _wrong(lambda path, source: _made_classes(source), "mirrorlist")
    assert _made_classes('x = type("A", (B,), {})\ny = type(x)') == [
        "line 1: a class made at run time"
    ]


def test_server_imports_the_file_alone() -> None:
    """The server imports of the backend what it may know; commands may import more."""
    assert not _wrong(
        lambda path, source: _backend_imports(source, in_commands=_is_command_line(path)),
        "mirrorlist",
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("x = 1\n" * 401, ["file: 401 lines"], id="file"),
        pytest.param("x = 1\n" * 400, [], id="file at the limit"),
        pytest.param("def f():\n" + "    x = 1\n" * 60, ["f: 61 lines"], id="function"),
        pytest.param("def f():\n" + "    x = 1\n" * 59, [], id="function at the limit"),
    ],
)
def test_a_file_or_function_that_is_too_long_is_found(source: str, found: list[str]) -> None:
    """The limits of length hold at the limit and one past it."""
    assert _too_long(source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("x = 1", ["module"], id="module"),
        pytest.param('"""A."""\ndef f(): ...', ["f"], id="function"),
        pytest.param('"""A."""\nclass A:\n  "A."\n  def f(self): ...', ["A.f"], id="method"),
        pytest.param('"""A."""\ndef f():\n  "no sentence"', ["f"], id="no sentence"),
        pytest.param('"""A."""\ndef _f(): ...', [], id="private"),
    ],
)
def test_a_public_name_without_a_sentence_is_found(source: str, found: list[str]) -> None:
    """Public names without a sentence are found; private ones need none."""
    assert _undocumented(source) == found


@pytest.mark.parametrize(
    ("source", "in_commands", "found"),
    [
        pytest.param("import snapshot.export", False, {"snapshot.export"}, id="import"),
        pytest.param("from snapshot import export", False, {"snapshot.export"}, id="from package"),
        pytest.param("from snapshot.export import source", True, {"snapshot.export"}, id="from"),
        pytest.param("def f():\n  import snapshot.demo", False, {"snapshot.demo"}, id="in server"),
        pytest.param("def f():\n  import snapshot.demo", True, set(), id="in a command"),
        pytest.param("from snapshot.file.reader import Snapshot", False, set(), id="the file"),
        pytest.param("if TYPE_CHECKING:\n  import snapshot.demo", False, set(), id="for types"),
        pytest.param("from snapshot.files import x", False, {"snapshot.files"}, id="alike"),
    ],
)
def test_an_import_of_the_backend_is_found(source: str, in_commands: bool, found: set[str]) -> None:
    """However the server imports what writes snapshots, it is found."""
    assert _backend_imports(source, in_commands=in_commands) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("from tests.test_x import y", ["tests.test_x"], id="from"),
        pytest.param("import tests.clients.test_x", ["tests.clients.test_x"], id="import"),
        pytest.param("'from tests.test_x import y'", ["tests.test_x"], id="in a string"),
        pytest.param("from tests import system, test_x", ["test_x"], id="by its name"),
        pytest.param("from tests.system import y", [], id="a helper"),
    ],
)
def test_an_import_of_a_test_module_is_found(source: str, found: list[str]) -> None:
    """However a test module is imported, it is found."""
    assert _test_imports(source) == found


# Loaded by name: SQLAlchemy's driver, a package that some machines do not have, uvicorn's loop, and
# what newer Pythons have of their own.
LOADED_BY_NAME = {"psycopg", "iptocc", "uvloop", "backports.zstd"}


def test_each_dependency_is_used() -> None:
    """The product's dependencies are the packages that it imports, and no others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=]", one)[0].lower() for one in project["dependencies"]}
    sources = [_nodes(path.read_text()) for path in _files("mirrorlist", "snapshot")]
    imported = {name.split(".")[0] for nodes in sources for name in _imported(nodes)}
    others = {name.replace("_", "-").lower() for name in imported | LOADED_BY_NAME}
    # A package whose name is not that of its module.
    others = {{"yaml": "pyyaml"}.get(name, name) for name in others}
    others -= {name.replace("_", "-").lower() for name in sys.stdlib_module_names}
    # Extras: protobuf is for import-cache alone, the others for statistics.
    extras = {"google", "datasketches", "numpy"}
    assert others - extras - {"mirrorlist", "snapshot"} == names


def test_plain_words() -> None:
    """No file has a forbidden word, but for those in words_left.txt, which all have one still."""
    left = set(WORDS_LEFT.read_text(encoding="utf-8").split())
    found = {_name(one): _forbidden_words(one.read_text(encoding="utf-8")) for one in _texts()}
    assert len(found) > 400
    with_words = {name: words for name, words in found.items() if words}
    new = {name: words for name, words in with_words.items() if name not in left}
    assert not new, "other words: see CONTRIBUTING.md, How we write"
    assert not left - set(with_words), "take these lines out of tests/words_left.txt"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("Draws each anew.", {"anew"}, id="anew"),
        pytest.param("Whoever asks", {"whoever"}, id="whoever"),
        pytest.param("an error of\n    # ours", {"error of ours"}, id="over two lines"),
        pytest.param("errors of ours", {"errors of ours"}, id="several"),
        pytest.param("the incumbent's answer", {"incumbent"}, id="of somebody"),
        pytest.param("a text that is none", {"is none"}, id="none"),
        pytest.param("if x is None: there is none", set(), id="not there"),
    ],
)
def test_a_forbidden_word_is_found(text: str, found: set[str]) -> None:
    """A forbidden word is found in each form, and where a line ends within it."""
    assert _forbidden_words(text) == found
