"""How a command ends: a fault is one line on standard error and an exit code, never a traceback.

Wrong use, configuration and environment are `click.UsageError`, exit code 2; what could not be done is
`click.ClickException`, exit code 1. Where standard output cannot be written (a full disk), that is a fault, too.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

STDOUT = 1
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def fault(text: str, *, wrong_use: bool) -> click.ClickException:
    """The exception for a fault of either sort."""
    return (click.UsageError if wrong_use else click.ClickException)(text)


class OneLine(click.Command):
    """A command whose faults are one line each."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command; with `standalone_mode` end the process, a fault as one line on standard error."""
        run: Callable[..., Any] = super().main
        if not extra.pop("standalone_mode", True):
            return run(*args, standalone_mode=False, **extra)
        try:
            result = run(*args, standalone_mode=False, **extra)
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            _say(f"{context.command_path if context else 'sdcore'}: {error.format_message()}")
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(130)
        except OSError as error:
            if not _is_of_output(error):
                raise
            _give_up_output()
            _say(f"sdcore: standard output cannot be written: {error.strerror}")
            sys.exit(1)
        sys.exit(result if isinstance(result, int) else 0)


def _say(text: str) -> None:
    """Print one line, whatever names it quotes; the exit code counts though standard error is full."""
    with suppress(OSError):
        click.echo(" ".join(text.splitlines()), err=True)


def _is_of_output(error: OSError) -> bool:
    """Whether what was printed could not be written. Files of ours and sockets fail with a name, or otherwise."""
    return error.filename is None and error.errno in NO_ROOM


def _give_up_output() -> None:
    """What is still in its buffer shall not fail once more when the interpreter ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, STDOUT)
    os.close(nothing)
