"""How a command ends: a fault is one line on standard error and an exit code, never a traceback.

Wrong use, configuration and environment are `click.UsageError`, exit code 2; what could not be done is
`click.ClickException`, exit code 1. Where standard output cannot be written (a full disk), that is a fault, too; where
nobody reads it any more (`| head`), nothing is said.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Callable
from typing import Any

import click

STDOUT, STDERR = 1, 2
NO_WORDS: tuple[type[click.UsageError], ...] = (
    (click.exceptions.NoArgsIsHelpError,) if hasattr(click.exceptions, "NoArgsIsHelpError") else ()
)
"""A group without a command is answered by its help, in all its lines. Before click 8.2 that was no exception."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def fault(text: str, *, wrong_use: bool) -> click.ClickException:
    """The exception for a fault of either sort."""
    return (click.UsageError if wrong_use else click.ClickException)(text)


class OneLine(click.Command):
    """A command whose faults are one line each.

    Attributes:
        program: whose faults they are, where no command can be named.
    """

    program = "sdcore"

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command; with `standalone_mode` end the process, a fault as one line on standard error."""
        run: Callable[..., Any] = super().main
        if not extra.pop("standalone_mode", True):
            return run(*args, standalone_mode=False, **extra)
        try:
            result = run(*args, standalone_mode=False, **extra)
        except NO_WORDS as error:
            click.echo(error.format_message(), err=True)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            _say(f"{context.command_path if context else self.program}: {error.format_message()}")
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(130)
        except OSError as error:
            if not _is_of_output(error):
                raise
            _give_up(STDOUT)
            if error.errno != errno.EPIPE:
                _say(f"{self.program}: standard output cannot be written: {error.strerror}")
            sys.exit(1)
        sys.exit(result if isinstance(result, int) else 0)


def _say(text: str) -> None:
    """Print one line, whatever names it quotes; the exit code counts though standard error is full."""
    try:
        click.echo(" ".join(text.splitlines()), err=True)
    except OSError:
        _give_up(STDERR)


def _is_of_output(error: OSError) -> bool:
    """Whether what was printed could not be written. Files of ours and sockets fail with a name, or otherwise."""
    return error.filename is None and (error.errno in NO_ROOM or (error.errno == errno.EPIPE and _nobody_reads()))


def _nobody_reads() -> bool:
    """Whether standard output is a pipe that was closed at its other end."""
    output = select.poll()
    output.register(STDOUT, 0)
    return bool(output.poll(0))


def _give_up(stream: int) -> None:
    """What is still in its buffer shall not fail once more when the interpreter ends, which then ends with 120."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream)
    os.close(nothing)
