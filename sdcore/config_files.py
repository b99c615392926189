"""Which configuration files apply. Apart from `sdcore.config`, since `sdcore run` must not wait for its imports
where there is nothing to read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

SYSTEM_FILE = Path("/etc/sdcore.toml")


def applying(environ: Mapping[str, str], *, system: bool) -> Iterator[Path]:
    """The files to read, in order. One that `SDCORE_CONFIG` names must exist; others do, and a place that cannot be
    reached (the home of another user, say) has none.
    """
    if chosen := environ.get("SDCORE_CONFIG"):
        yield Path(chosen)
        return
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/nonexistent") / ".config")
    for path in (SYSTEM_FILE,) if system else (SYSTEM_FILE, home / "sdcore" / "config.toml"):
        if os.path.exists(path):  # unlike Path.exists, False where a folder above may not be entered
            yield path
