"""What a requirement means: rich dependencies as rpm reads them, and versions as libsolv does."""

import pytest

from snapshot.slim.needs import (
    MOST_DEPTH,
    Need,
    Rich,
    Simple,
    does_provide,
    need_of,
    shown,
    simple_needs,
)

A, B, C = Simple("a"), Simple("b"), Simple("c")
LESS, GREATER, EQUAL = 2, 4, 8
AT_MOST, AT_LEAST = LESS | EQUAL, GREATER | EQUAL


def deep(depth: int) -> str:
    """Return a name in this many brackets within brackets."""
    return "(" * (depth + 1) + "a" + ")" * (depth + 1)


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("(a)", A),
        ("( a  or\tb )", Rich("or", (A, B))),
        ("(a and b and c)", Rich("and", (A, B, C))),
        ("(a with b with c)", Rich("with", (A, B, C))),
        ("(a without b)", Rich("without", (A, B))),
        ("(a if b)", Rich("if", (A, B))),
        ("(a unless b else c)", Rich("unless", (A, B, C))),
        ("(a or (b and c))", Rich("or", (A, Rich("and", (B, C))))),
        ("((a or b) if c)", Rich("if", (Rich("or", (A, B)), C))),
        ("(a < 1:2-3)", Simple("a", LESS, "1:2-3")),
        ("(a >= 1 and b = 2)", Rich("and", (Simple("a", 12, "1"), Simple("b", 8, "2")))),
        ("(a <= 1 or b > 2)", Rich("or", (Simple("a", 10, "1"), Simple("b", 4, "2")))),
        ("(p(A::B) or l.so()(64bit))", Rich("or", (Simple("p(A::B)"), Simple("l.so()(64bit)")))),
        (deep(MOST_DEPTH), A),
    ],
)
def test_rich(text: str, need: Need) -> None:
    """A text in brackets is names joined by a word, with versions; it can be written again."""
    assert need_of(text, 0, "") == need
    written = shown(need)
    assert need_of(written if written[0] == "(" else f"({written})", 0, "") == need


@pytest.mark.parametrize(
    "text",
    [
        *("()", "(", "(a", "(a or", "(a or)", "(and a)", "(or)", "(a b)", "(a xor b)", "(a) b"),
        *("(a and b or c)", "(a or b and c)", "(a and b else c)", "(a if b if c)", "(a or b if c)"),
        *("(a if b else c else d)", "(a if b unless c)", "(a else b)", "(a without b without c)"),
        *("(a >= )", "(a if if b)", deep(MOST_DEPTH + 1), "rpmlib(RichDependencies)"),
    ],
)
def test_nonsense(text: str) -> None:
    """Anything else means nothing, and so do the features of rpm itself."""
    assert need_of(text, 0, "") is None


def test_all_names() -> None:
    """Each capability of a need is one that a package may have to provide."""
    need = need_of("(a or (b = 1 if c))", 0, "")
    assert need is not None
    assert simple_needs(need) == [A, Simple("b", EQUAL, "1"), C]
    assert simple_needs(A) == [A]


@pytest.mark.parametrize(
    ("flags", "evr", "wanted_flags", "wanted_evr", "holds"),
    [
        (EQUAL, "1", 0, "", True),
        (0, "", EQUAL, "1", False),
        (EQUAL, "0:1-1", EQUAL, "1", True),
        (EQUAL, "0:1-1", EQUAL, "1-1", True),
        (EQUAL, "0:1-1", EQUAL, "1-2", False),
        (EQUAL, "1", EQUAL, "1-2", True),
        (EQUAL, ":1", EQUAL, "0:1", True),
        (EQUAL, "1:1", EQUAL, "1", False),
        (EQUAL, "1:1", GREATER, "9", True),
        (EQUAL, "1", LESS, "1", False),
        (EQUAL, "1", AT_MOST, "1", True),
        (EQUAL, "1", AT_LEAST, "1", True),
        (EQUAL, "1", GREATER, "1", False),
        (EQUAL, "1", LESS, "2", True),
        (EQUAL, "1", GREATER, "2", False),
        (EQUAL, "2", GREATER, "1", True),
        (EQUAL, "2", LESS, "1", False),
        (GREATER, "1", EQUAL, "2", True),
        (GREATER, "1", GREATER, "9", True),
        (GREATER, "2", EQUAL, "1", False),
        (LESS, "2", EQUAL, "1", True),
        (LESS, "1", EQUAL, "2", False),
        (AT_MOST, "1", EQUAL, "1", True),
        (LESS, "1", EQUAL, "1", False),
    ],
)
def test_versions(flags: int, evr: str, wanted_flags: int, wanted_evr: str, holds: bool) -> None:
    """A provided range of versions is enough if any version is in both ranges."""
    assert does_provide(flags, evr, Simple("a", wanted_flags, wanted_evr)) is holds
