"""Ends a command that failed with one line and a documented exit code, never with a traceback."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import click

from mirrorlist.cli.console import fail, tell
from mirrorlist.cli.missing import EXIT_CODE, missing_line
from mirrorlist.cli.subcommands import NAMES
from mirrorlist.errors import OperatorError, QueryError
from snapshot.file.errors import BackendError

INTERRUPTED = 130
_NO_CONTEXT = click.Context(click.Command("mirrorlist"))


def guarded(work: Callable[[], object]) -> int:
    """Run something and return its exit code; an error becomes one line and its code."""
    if sys.stdout is None:
        # The command was started with a closed standard output (`>&-`): discard the output.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        code = work()
        _flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return error.exit_code
    except click.UsageError as error:
        hint = f"{_command(error)} --help tells more{_file_hint(error)}"
        return fail(f"{_plain(error)} ({hint})", error.exit_code)
    except click.ClickException as error:
        return fail(error.format_message(), error.exit_code)
    except (BackendError, OperatorError) as error:
        code = fail(str(error), error.exit_code)
        for line in error.more:
            tell(line)
        return code
    except QueryError as error:
        return fail(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output ended first, for example `head`: that is not a failure.
        _close_output()
        return 0
    except ImportError as error:
        return fail(missing_line(error), EXIT_CODE)
    except OSError as error:
        _close_output()
        # An error without a file name comes from writing the output.
        what = error.filename or "the output cannot be written"
        return fail(f"{what}: {error.strerror}", 1)
    return code if isinstance(code, int) else 0


def _plain(error: click.UsageError) -> str:
    """Return click's error as one sentence without a full stop, worded like other errors."""
    if isinstance(error, click.MissingParameter) and error.param is not None:
        wanted = max(error.param.opts, key=len) if error.param.opts[0][0] == "-" else ""
        shown = wanted or error.param.make_metavar(error.ctx or _NO_CONTEXT)
        variable = error.param.envvar
        other = f" (or {variable} in the environment)" if isinstance(variable, str) else ""
        return f"{shown} is missing{other}"
    if isinstance(error, click.BadOptionUsage) and "requires an argument" in error.message:
        return f"{error.option_name} needs a value"
    return error.format_message().rstrip(".")


def _command(error: click.UsageError) -> str:
    """Return the command whose help tells more; click does not always say where it was."""
    if error.ctx:
        return error.ctx.command_path
    return " ".join(["mirrorlist", *[word for word in sys.argv[1:2] if word in NAMES]])


def _file_hint(error: click.UsageError) -> str:
    """Return a hint if an unknown option is the name of a file that begins with a dash."""
    if not isinstance(error, click.NoSuchOption):
        return ""
    files = [word for word in sys.argv[1:] if word[:1] == "-" and os.path.lexists(word)]
    return f"; the file of that name is ./{files[0]}" if files else ""


def _flush() -> None:
    """Write what is still to be written; that nobody reads it changes no exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _close_output()


def _close_output() -> None:
    # Without this, Python's own flush at exit would fail again, with a traceback. An OSError means
    # that no file can be opened any more; then the traceback cannot be avoided.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
