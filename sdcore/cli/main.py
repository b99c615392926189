"""`sdcore`: the group of all commands.

Commands are imported when they are used: `sdcore run` stands before the program that the user wants, so it must not
pay for tables and plots. Exit codes: 0 done, 1 not done, 2 wrong use, configuration or environment.
"""

from __future__ import annotations

from importlib import import_module

import click

from sdcore.cli.faults import OneLine

COMMANDS = {
    "run": ("sdcore.cli.run:run", "Run a program with its sockets in user space."),
    "monitor": ("sdcore.cli.monitor:monitor", "Start, stop and question the monitor."),
    "ss": ("sdcore.cli.ss:ss", "Show sockets, like ss -t."),
    "drain": ("sdcore.cli.drain:drain", "Move a running program to kernel TCP."),
    "doctor": ("sdcore.cli.doctor:doctor", "Tell what works on this host, and what would make it faster."),
    "bench": ("sdcore.cli.bench.command:bench", "Measure kernel TCP, Unix sockets and sdcore against each other."),
}


class LazyGroup(OneLine, click.Group):
    """A group that knows names and one line of each command, and imports a command to use it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="socksdirect", prog_name="sdcore")
def main() -> None:
    """Drop-in user-space sockets for Linux.

    Example: sdcore run -- redis-server
    """
