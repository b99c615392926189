"""Where the monitor's log goes: to a terminal in colour, else to a file or a journal as plain lines."""

from __future__ import annotations

import logging
import sys

PLAIN = "%(asctime)s %(levelname)s %(message)s"


def set_up(level: str) -> None:
    """Log to standard error from `level` on."""
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(PLAIN))
    logging.basicConfig(level=level.upper(), handlers=[handler], format="%(message)s", force=True)
