"""`--push` of the commands that keep running: a thread that runs a command after publications."""

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from mirrorlist.process.messages import Say
from mirrorlist.process.threads import Threads

if TYPE_CHECKING:
    from snapshot.watch.progress import Pushes
    from snapshot.watch.push import Push


@contextmanager
def pushing(
    push: "Push | None", progress: "Pushes", threads: Threads, say: Say
) -> Iterator[Callable[[], object]]:
    """Give the function to call after each publication; a run under way ends with the block."""
    # Imported here: a worker must never load the modules that make snapshots.
    from snapshot.watch.push import Pusher

    if push is None:
        yield lambda: None
        return
    # The parent process may ignore SIGCHLD: then each run would seem to have succeeded.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pusher = Pusher(push, progress, say)
    threads.go_on("push", pusher.step)
    with closing(pusher):
        yield pusher.published
