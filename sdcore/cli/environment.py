"""What commands check before they do anything: variables and configuration that the user set, and where output goes.

A monitor that serves has read its configuration long ago; that one is wrong now is told all the same.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import click

from sdcore import config_files
from sdcore.monitor.paths import RuntimeDir

DISABLE_VALUES = ("", "0", "1")


def check_disable(environ: Mapping[str, str]) -> None:
    """Refuse a value of `SDCORE_DISABLE` of which one cannot tell what it shall mean."""
    value = environ.get("SDCORE_DISABLE", "")
    if value not in DISABLE_VALUES:
        raise click.UsageError(f"SDCORE_DISABLE: {value!r} is neither 0 nor 1")


def check_configuration(environ: Mapping[str, str], runtime: RuntimeDir) -> None:
    """Refuse a configuration that a monitor started now would refuse.

    A user's files do not concern the system-wide monitor, and its own need not be readable by him.
    """
    if runtime.system and not environ.get("SDCORE_CONFIG"):
        return
    if not any(config_files.applying(environ, system=False)):
        return
    from sdcore import config

    try:
        config.load(environ)
    except config.ConfigError as error:
        raise click.UsageError(str(error)) from None


def check_file(path: Path, option: str) -> None:
    """Refuse a file that could not be written, without making it."""
    _refuse(_fault_of_file(path), path, option)


def check_folder(path: Path, option: str) -> None:
    """Refuse a folder that could not be made or written to, without making it."""
    _refuse(_fault_of_folder(path), path, option)


def _refuse(number: int, path: Path, option: str) -> None:
    if number:
        raise click.UsageError(f"{option}: {path} cannot be written: {os.strerror(number)}")


def _fault_of_file(path: Path) -> int:
    mode = _mode(path)
    if mode == -errno.ENOENT:
        above = _mode(path.parent)
        return -above if above < 0 else _may_write(path.parent, above)
    if mode < 0:
        return -mode
    return errno.EISDIR if stat.S_ISDIR(mode) else 0 if os.access(path, os.W_OK) else errno.EACCES


def _fault_of_folder(path: Path) -> int:
    """The nearest folder that exists decides."""
    for place in (path, *path.parents):
        mode = _mode(place)
        if mode != -errno.ENOENT:
            return -mode if mode < 0 else _may_write(place, mode)
    return errno.ENOENT


def _may_write(folder: Path, mode: int) -> int:
    if not stat.S_ISDIR(mode):
        return errno.ENOTDIR
    return 0 if os.access(folder, os.W_OK | os.X_OK) else errno.EACCES


def _mode(path: Path) -> int:
    """Type and mode of what is there, or an error number below zero."""
    try:
        return path.stat().st_mode
    except OSError as error:
        return -(error.errno or errno.EIO)
