"""What may be in a value, and what is repeated of it.

Source: docs/protocol.md#values and docs/protocol.md#what-is-repeated.
"""

from dataclasses import replace

from tests.contract.case import Case
from tests.contract.request import REPO, on_both


def _refused(name: str, query: str | bytes, error: str) -> Case:
    before = b"/mirrorlist?"
    target = before + (query if isinstance(query, bytes) else query.encode())
    return Case(name, target, status=400, error=error, log="")


def _bad(name: str, value: str, error: str) -> tuple[Case, Case]:
    """Return the cases of a value that cannot be understood, in repo= and in path=."""
    return (
        _refused(f"{name} in repo", f"repo={value}&arch=x86_64", f"# repo=: {error}"),
        _refused(f"{name} in path", f"path={value}", f"# path=: {error}"),
    )


def _echoed(name: str, value: str, shown: str) -> tuple[Case, Case]:
    """Return the cases of what is repeated of a client's text, in a list and in a comment."""
    starts = f"# repo = {shown} arch = x86_64 \n"
    query = f"repo={value}&arch=x86_64"
    return (
        Case(f"{name}, mirrorlist", f"/mirrorlist?{query}", status=404, starts=starts),
        Case(f"{name}, metalink", f"/metalink?{query}", status=404, contains=(starts,)),
    )


CONTROL = "a control character"
ESCAPE = "a % that is not followed by two hexadecimal digits"
UTF8 = "not valid UTF-8"

DECODING = (
    Case(
        "plus stays plus",
        "/mirrorlist?path=pub/linux/with%20blank/a+b%26c/x+y&country=de&protocol=http",
        heading="# path = pub/linux/with?blank/a+b?c/x+y country = DE protocol = http",
        urls={
            "http://host31.example/get&go/linux/with%20blank/a+b&c/x+y",
            "http://host1.example/linux/with%20blank/a+b&c/x+y",
        },
    ),
    Case(
        "names are escaped in a metalink",
        "/metalink?path=pub/linux/with%20blank/a+b%26c/"
        "lib%3Cstd%3Ec++%20%26%20%22co%22.rpm&protocol=http",
        file='lib<std>c++ & "co".rpm',
        contains=("get&amp;go",),
        lacks=("get&go", "<std>"),
        urls={
            f"http://host{host}/with%20blank/a+b&c/lib%3Cstd%3Ec++%20&%20%22co%22.rpm"
            for host in ("31.example/get&go/linux", "1.example/linux")
        },
    ),
    Case(
        "names are raw behind rsync",
        "/mirrorlist?path=pub/linux/with%20blank/a+b%26c/x%5Ey%2541%20z&country=de&protocol=rsync",
        urls={"rsync://host1.example/linux/with blank/a+b&c/x^y%41 z"},
    ),
    Case(
        "names are raw and escaped behind rsync in a metalink",
        "/metalink?path=pub/linux/with%20blank/a+b%26c/"
        "lib%3Cstd%3Ec++%20%26%20%22co%22.rpm&protocol=rsync,http",
        contains=("/with blank/a+b&amp;c/lib&lt;std&gt;",),
        urls={
            *(
                f"http://host{host}/with%20blank/a+b&c/lib%3Cstd%3Ec++%20&%20%22co%22.rpm"
                for host in ("31.example/get&go/linux", "1.example/linux")
            ),
            'rsync://host1.example/linux/with blank/a+b&c/lib<std>c++ & "co".rpm',
        },
    ),
    *_bad("NUL", "a%00b", CONTROL),
    *_bad("line feed", "a%0Ahttp://evil.example/", CONTROL),
    *_bad("carriage return", "a%0D", CONTROL),
    *_bad("tabulator", "%09a", CONTROL),
    *_bad("last C0 control", "a%1F", CONTROL),
    *_bad("DEL", "a%7F", CONTROL),
    *_bad("first C1 control", "a%C2%80", CONTROL),
    *_bad("next line", "a%C2%85", CONTROL),
    *_bad("last C1 control", "a%C2%9F", CONTROL),
    *_bad("line separator", "a%E2%80%A8", CONTROL),
    *_bad("paragraph separator", "a%E2%80%A9", CONTROL),
    *_bad("bad UTF-8", "a%FF", UTF8),
    *_bad("overlong UTF-8", "%C0%AF", UTF8),
    *_bad("surrogate in UTF-8", "%ED%A0%80", UTF8),
    *_bad("escape cut short", "a%2", ESCAPE),
    *_bad("escape without digits", "100%", ESCAPE),
    *_bad("escape of other letters", "%zz", ESCAPE),
    *_bad("escape with a sign", "%+1", ESCAPE),
    # uvicorn's parser refuses these bytes itself, with 400 too and a text of its own.
    replace(_refused("raw bad UTF-8", b"path=\xff\xfe", f"# path=: {UTF8}"), live=False),
    *(
        _refused(f"control character in {name}", f"{REPO}&{name}=%0A", f"# {name}=: {CONTROL}")
        for name in ("arch", "country", "protocol", "ip", "netblock", "redirect", "time")
    ),
    *on_both("an error on either path", "path=%00", f"# path=: {CONTROL}", 400),
)

ECHO = (
    *_echoed("all that is repeated", "aZ09._+,/@~%5E-", "aZ09._+,/@~^-"),
    *_echoed("markup", "%3Cb%3E%26%22'", "?b????"),
    *_echoed("blank and colon", "http:%20x", "http??x"),
    *_echoed("semicolon, dollar, equals sign", "a;b$c%3Dd", "a?b?c?d"),
    *_echoed("letters that are not ASCII", "%C3%A9t%C3%A9", "?t?"),
    *_echoed("128 characters", "x" * 128, "x" * 128),
    *_echoed("129 characters", "x" * 129, "x" * 128),
    Case(
        "an XML comment never contains two hyphens",
        "/metalink?repo=a--b---c-&arch=--",
        status=404,
        lacks=("a--b", "arch = --"),
    ),
    Case(
        "a protocol list is repeated within the limits",
        f"/mirrorlist?{REPO}&protocol=%3Cb%3E,{'y' * 200}",
        status=404,
        error=f"error: no host has a URL of pub/linux/40/x86_64/os with protocol ?b?,{'y' * 124}"
        " (protocol=)",
    ),
    Case(
        "a path is repeated within the limits",
        f"/mirrorlist?path=pub/linux/many/{'z' * 200}&country=jp&protocol=http",
        heading=f"# path = pub/linux/many/{'z' * 113} country = JP protocol = http",
        urls=(f"http://host5.example/linux/many/{'z' * 200}",),
    ),
    Case(
        "a wish that is no address is repeated within the limits",
        f"/mirrorlist?{REPO}&ip=%3Ch1%3E",
        status=400,
        error="# ip=: not an address: ?h1?",
    ),
)

_UNKNOWN = "error: invalid repo or arch"
_LONG = "longer than 256 bytes"
_COUNTRIES = ",".join(["de"] * 32)
_PROTOCOLS = ",".join(["http"] * 32)

LIMITS = (
    Case(
        "repo of 256 bytes",
        f"/mirrorlist?repo={'r' * 256}&arch=a",
        status=404,
        contains=(_UNKNOWN,),
    ),
    _refused("repo of 257 bytes", f"repo={'r' * 257}&arch=a", f"# repo=: {_LONG}"),
    Case(
        "256 bytes in two-byte letters",
        f"/mirrorlist?repo={'%C3%A9' * 128}&arch=a",
        status=404,
        contains=(_UNKNOWN,),
    ),
    _refused(
        "257 bytes with two-byte letters", f"repo={'%C3%A9' * 128}a&arch=a", f"# repo=: {_LONG}"
    ),
    *(
        _refused(f"{name} of 257 bytes", f"{REPO}&{name}={'1' * 257}", f"# {name}=: {_LONG}")
        for name in ("arch", "country", "protocol", "ip", "netblock", "redirect", "time")
    ),
    Case(
        "path of 2048 bytes",
        f"/mirrorlist?path={'p' * 2048}",
        status=404,
        error="error: invalid path",
    ),
    _refused("path of 2049 bytes", f"path={'p' * 2049}", "# path=: longer than 2048 bytes"),
    Case(
        "unknown parameters have no limit", f"/mirrorlist?{REPO}&x={'y' * 4000}", contains=("5.",)
    ),
    Case("32 countries", f"/mirrorlist?{REPO}&country={_COUNTRIES}", tiers=({1, 2},)),
    _refused(
        "33 countries", f"{REPO}&country={_COUNTRIES},de", "# country=: more than 32 elements"
    ),
    Case("32 protocols", f"/mirrorlist?{REPO}&protocol={_PROTOCOLS}", tiers=({1, 2, 3, 4, 5},)),
    _refused(
        "33 protocols", f"{REPO}&protocol={_PROTOCOLS},http", "# protocol=: more than 32 elements"
    ),
)
