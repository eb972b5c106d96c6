"""What a failure looks like: one line and a documented exit code, never a traceback."""

import os
import sys
from collections.abc import Callable

import click

from mirrorlist.cli.console import fail
from mirrorlist.errors import OperatorError, QueryError
from snapshot.errors import BackendError

INTERRUPTED = 130


def guarded(work: Callable[[], object]) -> int:
    """Run something and return its exit code; an error becomes one line and its code."""
    if sys.stdout is None:
        # Started with its output closed: whoever did so wants to see nothing.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        code = work()
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "mirrorlist"
        return fail(f"{error.format_message()} ({command} --help tells more)", error.exit_code)
    except click.ClickException as error:
        return fail(error.format_message(), error.exit_code)
    except (BackendError, OperatorError) as error:
        return fail(str(error), error.exit_code)
    except QueryError as error:
        return fail(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has enough, as `head` does: that is no failure.
        _close_output()
        return 0
    except OSError as error:
        _close_output()
        return fail(f"the output cannot be written: {error.strerror}", 1)
    return code if isinstance(code, int) else 0


def _close_output() -> None:
    # Or Python's own flush at the end would fail again, with a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
