"""What is asked: docs/protocol.md#parameters and docs/protocol.md#errors."""

from tests.contract.case import METALINK, TEXT, Case

REPO = "repo=linux-40&arch=x86_64"
_OS = "/linux/40/x86_64/os"
# Hosts 1 to 5; 9 has no URL that a text list could give.
_ALL = ({1, 2, 3, 4, 5},)
_LIST = f"# {REPO.replace('=', ' = ').replace('&', ' ')} country = global "
_NO_PROTOCOL = f"error: no host has a URL of pub{_OS}{{}} with one of no protocols (protocol=)"
_NEITHER = "# either path=, or repo= and arch= must be specified"


def on_both(name: str, query: str, error: str, status: int = 200) -> tuple[Case, Case]:
    """Return the cases of an error on /mirrorlist and /metalink."""
    return (
        Case(f"{name}, mirrorlist", f"/mirrorlist?{query}", status=status, error=error, log=""),
        Case(f"{name}, metalink", f"/metalink?{query}", status=status, error=error, log=""),
    )


def _unknown(name: str, query: str, repo: str, arch: str = "x86_64") -> tuple[Case, Case]:
    """Return the cases of an unknown repository, whose body goes on after its second line."""
    starts = f"# repo = {repo} arch = {arch} \nerror: invalid repo or arch"
    return (
        Case(f"{name}, mirrorlist", f"/mirrorlist?{query}", status=404, starts=starts, log=""),
        Case(f"{name}, metalink", f"/metalink?{query}", status=404, contains=(starts,), log=""),
    )


def _listed(name: str, query: str, heading: str = _LIST) -> Case:
    return Case(name, f"/mirrorlist?{query}", heading=heading, tiers=_ALL)


PATHS = (
    Case("path mirrorlist", f"/mirrorlist?{REPO}", content_type=TEXT, tiers=_ALL),
    Case("path metalink", f"/metalink?{REPO}", content_type=METALINK, file="repomd.xml"),
    Case("any prefix, mirrorlist", f"/pub/mirrors.example/mirrorlist?{REPO}", tiers=_ALL),
    Case("any prefix, metalink", f"/a/b/metalink?{REPO}", file="repomd.xml"),
    *(
        Case(f"other path {path}", path, status=404, body=b"We don't serve their kind here!")
        for path in (
            "/",
            f"/?{REPO}",
            f"/metalinks?{REPO}",
            f"/xmirrorlist?{REPO}",
            f"/mirrorlist/?{REPO}",
            f"/mirrorlist/x?{REPO}",
            "/publiclist",
            "/health",
            "/favicon.ico",
        )
    ),
)

METHODS = (
    Case("HEAD mirrorlist", f"/mirrorlist?{REPO}", method="HEAD", body=b""),
    Case("HEAD metalink", f"/metalink?{REPO}", method="HEAD", body=b""),
    Case("HEAD error", "/metalink?path=x", method="HEAD", status=404, body=b""),
    Case("HEAD other path", "/", method="HEAD", status=404, body=b""),
    *(
        Case(f"{method} {path}", path, method=method, status=405, allow="GET, HEAD", log="")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
        for path in (f"/mirrorlist?{REPO}", "/metalink")
    ),
    # uvicorn's parser knows no such method and answers 400 itself.
    Case("BREW", "/metalink", method="BREW", status=405, allow="GET, HEAD", live=False),
    *(
        Case(f"POST {path}", path, method="POST", status=405, allow="GET, HEAD")
        for path in ("/repositories", "/health/live", "/health/ready")
    ),
)

PARAMETERS = (
    _listed("parameters in any order", "arch=x86_64&repo=linux-40"),
    _listed("unknown parameters are passed over", f"infra=$infra&content=%zz&{REPO}&countme=1"),
    _listed("parameter names have a case", f"{REPO}&COUNTRY=de&Protocol="),
    _listed("empty parameters are passed over", f"&&{REPO}&=&=x&"),
    _listed("last value wins", f"repo=no-such&arch=mips&{REPO}"),
    _listed("last value wins, empty country", f"{REPO}&country=de&country="),
    _listed("value ends at the second equals sign", "repo=linux-40=x&arch=x86_64="),
    _listed("country empty is absent", f"{REPO}&country="),
    _listed("country without equals sign is absent", f"{REPO}&country"),
    _listed("ip empty is absent", f"{REPO}&ip="),
    _listed("ip without equals sign is absent", f"{REPO}&ip"),
    _listed("percent-encoded values", "repo=linux%2d40&arch=x86%5F64"),
    Case(
        "path wins over repo and arch",
        f"/mirrorlist?{REPO}&path=pub/linux",
        heading="# path = pub/linux country = global ",
    ),
    Case(
        "time with any value",
        f"/mirrorlist?{REPO}&time=0",
        heading=_LIST,
        creation_time=True,
        tiers=_ALL,
    ),
    Case("time without value", f"/mirrorlist?{REPO}&time", creation_time=True, tiers=_ALL),
    Case("time empty", f"/mirrorlist?{REPO}&time=", creation_time=True, tiers=_ALL),
    Case(
        "redirect with any value",
        "/mirrorlist?repo=rolling&arch=x86_64&redirect=0",
        status=302,
        location="http://host1.example/linux/rolling/repodata/",
        body=b"",
    ),
    Case(
        "redirect without value",
        "/mirrorlist?repo=rolling&arch=x86_64&redirect",
        status=302,
        location="http://host1.example/linux/rolling/repodata/",
    ),
    Case(
        "protocol empty is nothing, and said",
        f"/mirrorlist?{REPO}&protocol=",
        status=404,
        error=_NO_PROTOCOL.format(""),
    ),
    Case(
        "protocol empty, metalink",
        f"/metalink?{REPO}&protocol=",
        status=404,
        error=_NO_PROTOCOL.format("/repodata"),
        tiers=(),
    ),
    Case(
        "protocol without equals sign",
        f"/mirrorlist?{REPO}&protocol",
        status=404,
        error=_NO_PROTOCOL.format(""),
    ),
)

UNSPECIFIED = (
    *on_both("nothing asked", "", _NEITHER),
    *on_both("repo without arch", "repo=linux-40", _NEITHER),
    *on_both("arch without repo", "arch=x86_64", _NEITHER),
    *on_both("only unknown parameters", "release=40&basearch=x86_64", _NEITHER),
    Case("no query string", "/mirrorlist", error=_NEITHER),
)

_INVALID_PATH = "error: invalid path"
_ROOT = "# path = pub/linux country = global "

DIRECTORIES = (
    *(
        Case(f"slashes of path={path}", f"/mirrorlist?path={path}", heading=_ROOT, tiers=_ALL)
        for path in ("pub/linux", "/pub/linux", "pub/linux/", "//pub///linux//", "pub%2Flinux")
    ),
    Case(
        "path is the topdir",
        "/mirrorlist?path=pub/linux&country=jp",
        urls=("http://host5.example/linux/",),
    ),
    Case(
        "path is a directory",
        "/mirrorlist?path=pub/linux/40/x86_64/os&country=jp",
        heading="# path = pub/linux/40/x86_64/os country = JP ",
        urls=(f"http://host5.example{_OS}/",),
    ),
    Case(
        "path is a file",
        "/mirrorlist?path=pub//linux/many/boot.iso&country=jp",
        heading="# path = pub/linux/many/boot.iso country = JP ",
        urls=("http://host5.example/linux/many/boot.iso",),
    ),
    Case(
        "a file that nobody knows, in a known directory",
        "/mirrorlist?path=pub/linux/many/libstdc++.rpm&country=jp",
        heading="# path = pub/linux/many/libstdc++.rpm country = JP ",
        urls=("http://host5.example/linux/many/libstdc++.rpm",),
    ),
    *on_both("unknown path", "path=pub/linux/no/such", _INVALID_PATH, 404),
    *on_both("unknown path of one name", "path=nothing", _INVALID_PATH, 404),
    *on_both("path empty", "path=", _INVALID_PATH, 404),
    *on_both("path of slashes", "path=///", _INVALID_PATH, 404),
    *on_both("path with dots", "path=pub/linux/../linux/x/y", _INVALID_PATH, 404),
    *on_both("directory name in another case", "path=PUB/linux/x", _INVALID_PATH, 404),
    Case(
        "path= without details is logged with repo and arch beside it",
        f"/mirrorlist?path=pub/linux&{REPO}",
        log="IP: 198.51.100.99; COUNTRY: N/A; REPO: linux-40; ARCH: x86_64",
    ),
)

_SOURCE = "# repo = linux-source-40 arch = source country = global "

REPOSITORIES = (
    Case(
        "source forces arch source",
        "/mirrorlist?repo=linux-source-40&arch=x86_64",
        heading=_SOURCE,
        urls=("http://host1.example/linux/40/source/",),
        log="IP: 198.51.100.99; COUNTRY: N/A; REPO: linux-source-40; ARCH: source",
    ),
    Case(
        "source forces arch source before the redirect",
        "/mirrorlist?repo=latest-source&arch=aarch64",
        heading=_SOURCE,
        urls=("http://host1.example/linux/40/source/",),
    ),
    *_unknown("source of a repository without", "repo=no-source&arch=i386", "no-source", "source"),
    Case(
        "one redirect",
        "/mirrorlist?repo=linux-latest&arch=x86_64",
        heading=_LIST,
        tiers=_ALL,
        log="IP: 198.51.100.99; COUNTRY: N/A; REPO: linux-latest; ARCH: x86_64",
    ),
    Case(
        "redirect of a metalink",
        "/metalink?repo=chain-b&arch=x86_64&country=jp&protocol=http",
        urls=(f"http://host5.example{_OS}/repodata/repomd.xml",),
    ),
    Case(
        "redirect away from a repository that exists",
        "/mirrorlist?repo=moved&arch=x86_64",
        urls=("http://host1.example/linux/alternates/",),
    ),
    *_unknown("redirect is not followed twice", "repo=chain-a&arch=x86_64", "chain-b"),
    *on_both("disabled", "repo=old-39&arch=x86_64", "repo disabled"),
    *on_both("disabled in another arch", "repo=old-39&arch=aarch64", "repo disabled"),
    *on_both("disabled in an unknown arch", "repo=old-39&arch=mips", "repo disabled"),
    *on_both("redirect to a disabled one", "repo=gone&arch=x86_64", "repo disabled"),
    *_unknown("unknown repository", "repo=linux-4&arch=x86_64", "linux-4"),
    *_unknown("unknown arch", "repo=linux-40&arch=mips", "linux-40", "mips"),
    *_unknown("repo empty", "repo=&arch=x86_64", ""),
    *_unknown("repository name in another case", "repo=LINUX-40&arch=x86_64", "LINUX-40"),
    Case(
        "unknown repository names the closest and where all are",
        "/mirrorlist?repo=linux-41&arch=x86_64",
        status=404,
        contains=("\n# repo=linux-40&arch=x86_64", "/repositories"),
        lacks=("old-39", "://", "\n\n"),
    ),
    Case(
        "metalink of a repository is repomd.xml in its repodata",
        "/metalink?repo=linux-source-40&arch=source&protocol=https",
        file="repomd.xml",
        urls=("https://host1.example/linux/40/source/repodata/repomd.xml",),
    ),
    Case(
        "repodata is not added twice",
        "/metalink?repo=rolling&arch=x86_64&protocol=https",
        file="repomd.xml",
        urls=("https://host1.example/linux/rolling/repodata/repomd.xml",),
    ),
    Case(
        "mirrorlist of a repository is its directory",
        "/mirrorlist?repo=rolling&arch=x86_64&protocol=https",
        urls=("https://host1.example/linux/rolling/repodata/",),
    ),
    Case(
        "a repository without repodata has a list",
        "/mirrorlist?repo=bare&arch=x86_64",
        urls=("http://host1.example/linux/bare/",),
    ),
    Case(
        "a repository without repodata has no metalink",
        "/metalink?repo=bare&arch=x86_64",
        status=404,
        contains=("pub/linux/bare/repodata",),
    ),
    Case(
        "metalink without file details",
        "/metalink?repo=no-details&arch=x86_64",
        status=404,
        error="pub/linux/no-details/repodata/repomd.xml not found or has not metalink",
        log="IP: 198.51.100.99; COUNTRY: N/A; REPO: no-details; ARCH: x86_64",
    ),
    Case(
        "metalink of a file without details",
        "/metalink?path=pub/linux/many/nothing.iso",
        status=404,
        error="pub/linux/many/nothing.iso not found or has not metalink",
        log="",
    ),
    Case(
        "metalink of a directory",
        "/metalink?path=pub/linux/many",
        status=404,
        error="pub/linux/many/ not found or has not metalink",
    ),
)


def _nobody(name: str, query: str, *contains: str) -> tuple[Case, Case]:
    return (
        Case(f"{name}, mirrorlist", f"/mirrorlist?{query}", status=404, contains=contains),
        Case(f"{name}, metalink", f"/metalink?{query}", status=404, contains=contains),
    )


NOBODY_CARRIES = (
    *_nobody("no category", "path=pub/elsewhere", "error: ", "pub/elsewhere", "category"),
    *_nobody("repository in no category", "repo=uncategorised&arch=x86_64", "pub/elsewhere"),
    *_nobody("nobody carries it", "path=pub/linux/nobody", "error: ", "pub/linux/nobody"),
    *_nobody("nobody carries the repository", "repo=uncarried&arch=x86_64", "pub/linux/nobody"),
    *_nobody("only a host without a public URL carries it", "path=pub/linux/unlisted", "error: "),
    Case(
        "only a private host carries it",
        "/mirrorlist?path=pub/linux/private",
        status=404,
        error="error: no active host carries pub/linux/private",
    ),
    Case(
        "only a private host carries it, metalink",
        "/metalink?path=pub/linux/private/boot.iso",
        status=404,
        error="error: no active host carries pub/linux/private",
        tiers=(),
    ),
)
