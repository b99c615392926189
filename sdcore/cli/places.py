"""Where output goes is checked before anything is done, and nothing is made by the check."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import click


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
