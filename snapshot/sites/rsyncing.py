"""Gets small files of an rsync daemon, all of a URL in one connection, by the program rsync.

rsync compares size and time of a file with those of a file on this side before it gets anything.
So each file that is known gets a stand-in of that size and time: if rsync finds the two equal, it
makes a link to the stand-in, and nothing is read or sent.
"""

import asyncio
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from snapshot.sites.content import Reader
from snapshot.sites.getting import UNCHANGED, Limits, Question, Reply, shown

RSYNC = "rsync://"
# Sizes of real files are a hundredth; a mirror could fill the disk otherwise.
_MOST_BYTES = 1 << 20
# What a daemon says is read up to here.
_MOST_SAID = 64 << 10
# A daemon may send more than it has announced, or errors without end: no file gets more than twice
# as much, in blocks.
_LIMITED = (
    f'(ulimit -f {_MOST_BYTES // 256}) 2>/dev/null && ulimit -f {_MOST_BYTES // 256}; exec "$@"'
)
# Some files are missing, or vanished.
_PARTIAL = (23, 24)
_WORDS = {
    10: "no connection", 12: "a broken answer", 30: "no answer in time", 35: "no answer in time",
}  # fmt: skip
_TAG = re.compile(r"rsync:(\d{1,7}):(-?\d{1,11})")
# A file that was written so few seconds ago may be written again with the same time.
_YOUNG_SECONDS = 5
_FAILED = re.compile(r"failed.*: (.+) \((\d+)\)$")
# No such file, not allowed to read it, a file in the place of its folder.
_NOT_THERE = ("2", "13", "20")


def has_rsync() -> bool:
    """Whether the program is there."""
    return shutil.which("rsync") is not None


async def get_by_rsync(
    url: str, questions: Iterable[Question], limits: Limits, reader: Reader
) -> dict[Question, Reply]:
    """Return the reply to each question about a URL; one that is unchanged has the status 304."""
    questions = [*questions]
    with tempfile.TemporaryDirectory(prefix="mirrorlist-rsync-") as name:
        known, folder, names = (Path(name) / one for one in ("known", "got", "names"))
        folder.mkdir()
        names.write_text("".join(f"{one.path}\n" for one in questions), encoding="utf-8")
        words = [f"--link-dest={known}"] if _stand_in(known, questions) else []
        words += [f"--files-from={names}", "--", f"{url}/", str(folder)]
        code, said = await _run(words, limits, Path(name) / "errors")
        if code not in (0, *_PARTIAL):
            reply = Reply(error=_why(code, said), is_final=code in (30, 35))
            return dict.fromkeys(questions, reply)
        return {one: _reply(folder, known, one, said, reader) for one in questions}


def _stand_in(known: Path, questions: Iterable[Question]) -> bool:
    """Make a file without content for each one that is known; False if there can be no links."""
    known.mkdir()
    for one in questions:
        if found := _TAG.fullmatch(one.etag or ""):
            with suppress(OSError):
                _make(known / one.path, *map(int, found.groups()))
    try:
        # Without links rsync would copy the stand-ins, which say nothing.
        (known / ".link").touch()
        os.link(known / ".link", known / ".linked")
    except OSError:
        return False
    return True


def _make(file: Path, size: int, at: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.truncate(file, size)
    os.utime(file, (at, at))


async def _run(words: list[str], limits: Limits, errors: Path) -> tuple[int, str]:
    """Return the exit code and the start of what rsync said.

    It has no pipe to us: asyncio waits for the ends of pipes, and others may hold them.
    """
    limited = [
        *("sh", "-c", _LIMITED, "sh"),
        *("rsync", "--quiet", "--no-motd", "--times", "--copy-links", "--whole-file"),
        *(f"--max-size={_MOST_BYTES}", f"--timeout={_whole(limits.silent)}"),
        *(f"--contimeout={_whole(limits.connect)}", *words),
    ]
    nothing = asyncio.subprocess.DEVNULL
    with errors.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *limited,
            stdin=nothing,
            stdout=nothing,
            stderr=said,
            env=_environment(),
            start_new_session=True,
        )
    try:
        await asyncio.wait_for(process.wait(), limits.url_seconds)
    except TimeoutError:
        return 30, ""
    finally:
        # rsync is two processes, and the second one does not always end with the first.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    with errors.open("rb") as said:
        return process.returncode or 0, said.read(_MOST_SAID).decode("utf-8", "replace")


def _whole(seconds: float) -> int:
    return max(1, round(seconds))


def _environment() -> dict[str, str]:
    """Return our environment without what would ask for a password or another shell."""
    return {key: text for key, text in os.environ.items() if not key.startswith("RSYNC_")} | {
        key: os.environ[key] for key in ("RSYNC_PROXY",) if key in os.environ
    }


def _why(code: int, said: str) -> str:
    """Return the daemon's own words if there are any."""
    errors = [line for line in said.splitlines() if line.startswith("@ERROR: ")]
    if errors:
        return shown(errors[0].removeprefix("@ERROR: "))
    if code < 0:
        return "it says or sends too much"
    return _WORDS.get(code, f"rsync ended with {code}")


def _reply(folder: Path, known: Path, question: Question, said: str, reader: Reader) -> Reply:
    path = folder / question.path
    try:
        about = path.lstat()
        if path.is_symlink() or not path.is_file():
            return Reply(status=404)
        with suppress(FileNotFoundError):
            if os.path.samestat(about, (known / question.path).stat()):
                return Reply(status=UNCHANGED, etag=question.etag)
        data = path.read_bytes()
    except OSError:
        why = lost(said, question.path)
        return Reply(error=shown(why)) if why else Reply(status=404)
    is_young = about.st_mtime > time.time() - _YOUNG_SECONDS
    tag = None if is_young else f"rsync:{about.st_size}:{int(about.st_mtime)}"
    return Reply(content=reader.read(data, question.is_repomd), status=200, etag=tag)


def lost(said: str, path: str) -> str | None:
    """Return why a daemon could not give a file that it may have: its disk, its memory; or None."""
    for line in said.splitlines():
        found = _FAILED.search(line)
        if found and f'{path}"' in line and found[2] not in _NOT_THERE:
            return found[1]
    return None
