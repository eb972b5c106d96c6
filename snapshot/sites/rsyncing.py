"""Gets small files of an rsync daemon, all of a URL in one connection, by the program rsync."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from snapshot.sites.content import Reader
from snapshot.sites.getting import Limits, Question, Reply, shown

RSYNC = "rsync://"
# Sizes of real files are a hundredth; a mirror could fill the disk otherwise.
_MOST_BYTES = 1 << 20
# Some files are missing, or vanished.
_PARTIAL = (23, 24)
_WORDS = {
    10: "no connection", 12: "a broken answer", 30: "no answer in time", 35: "no answer in time",
}  # fmt: skip


def has_rsync() -> bool:
    """Whether the program is there."""
    return shutil.which("rsync") is not None


async def get_by_rsync(
    url: str, questions: Iterable[Question], limits: Limits, reader: Reader
) -> dict[Question, Reply]:
    """Return the reply to each question about a URL."""
    questions = [*questions]
    with tempfile.TemporaryDirectory(prefix="mirrorlist-rsync-") as name:
        code, said = await _run(url, [one.path for one in questions], Path(name), limits)
        if code not in (0, *_PARTIAL):
            reply = Reply(error=_why(code, said), is_final=code in (30, 35))
            return dict.fromkeys(questions, reply)
        return {one: _reply(Path(name), one, reader) for one in questions}


async def _run(url: str, paths: list[str], folder: Path, limits: Limits) -> tuple[int, str]:
    words = [
        *("rsync", "--quiet", "--no-motd", "--times", "--copy-links", "--files-from=-"),
        *(f"--max-size={_MOST_BYTES}", f"--timeout={_whole(limits.silent)}"),
        *(f"--contimeout={_whole(limits.connect)}", "--", f"{url}/", str(folder)),
    ]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words, stdin=pipe, stdout=asyncio.subprocess.DEVNULL, stderr=pipe, env=_environment()
    )
    try:
        names = "".join(f"{path}\n" for path in paths).encode()
        _, said = await asyncio.wait_for(process.communicate(names), limits.url_seconds)
    except TimeoutError:
        return 30, ""
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return process.returncode or 0, said.decode("utf-8", "replace")


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
    return _WORDS.get(code, f"rsync ended with {code}")


def _reply(folder: Path, question: Question, reader: Reader) -> Reply:
    path = folder / question.path
    try:
        if path.is_symlink() or not path.is_file():
            return Reply(status=404)
        data = path.read_bytes()
    except OSError:
        return Reply(status=404)
    return Reply(content=reader.read(data, question.is_repomd), status=200)
