"""Where a monitor lives: its runtime directory, with the socket, the lock and the log.

The rule is the one of `sdcore.protocol.messages`: `$SDCORE_RUNTIME_DIR`; else the system-wide directory if a monitor
serves there; else the user's own. Only the owner may enter the directory of a user's monitor. It is opened without
following a link and its owner and mode are checked on the open descriptor, so nobody can prepare a trap in `/tmp`.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_DIRECTORY = Path("/run/sdcore")
SOCKET_PATH_BYTES_MAX = 107


class RuntimeDirError(Exception):
    """A runtime directory that cannot be used; the text is one line for the user."""


@dataclass(frozen=True)
class RuntimeDir:
    """The directory of one monitor.

    Attributes:
        path: where it is; need not exist.
        system: whether all users may connect.
    """

    path: Path
    system: bool = False

    @property
    def socket(self) -> Path:
        """Path of its socket."""
        return self.path / "monitor.sock"

    @property
    def lock(self) -> Path:
        """Path of the lock that whoever serves holds."""
        return self.path / "monitor.lock"

    @property
    def log(self) -> Path:
        """Path of the log of a monitor that detached."""
        return self.path / "monitor.log"

    @property
    def mode(self) -> int:
        """Mode of the directory."""
        return 0o755 if self.system else 0o700

    @property
    def socket_mode(self) -> int:
        """Mode of the socket."""
        return 0o666 if self.system else 0o600


def user_directory(uid: int) -> Path:
    """The directory of a user's own monitor."""
    home = Path(f"/run/user/{uid}")
    return home / "sdcore" if os.path.isdir(home) else Path(f"/tmp/sdcore-{uid}")


def find(environ: Mapping[str, str], uid: int) -> RuntimeDir:
    """The directory in which a process with this environment looks for its monitor.

    Raises:
        RuntimeDirError: `SDCORE_RUNTIME_DIR` is set to something that cannot be a runtime directory.
    """
    if chosen := environ.get("SDCORE_RUNTIME_DIR"):
        return explicit(chosen, "SDCORE_RUNTIME_DIR")
    system = RuntimeDir(SYSTEM_DIRECTORY, system=True)
    return system if serves(system) else RuntimeDir(user_directory(uid))


def explicit(chosen: str, source: str) -> RuntimeDir:
    """A directory that the user named by the option or variable `source`."""
    path = Path(chosen)
    if not path.is_absolute():
        raise RuntimeDirError(f"{source}: {chosen!r} is not an absolute path")
    runtime = RuntimeDir(path, system=path == SYSTEM_DIRECTORY)
    if len(os.fsencode(runtime.socket)) > SOCKET_PATH_BYTES_MAX:
        raise RuntimeDirError(f"{source}: {chosen!r} is too long for the address of a socket")
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            raise RuntimeDirError(f"{source}: {chosen!r} is not a directory")
    except FileNotFoundError:
        pass  # whoever starts a monitor makes it
    except OSError as error:
        raise RuntimeDirError(f"{source}: {chosen!r} cannot be reached: {error.strerror}") from None
    return runtime


def serves(runtime: RuntimeDir) -> bool:
    """Whether something accepts connections there. Does not block: a Unix listener answers at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(runtime.socket))
        except BlockingIOError:
            return True  # its backlog is full: it is there, and busy
        except OSError:
            return False
    return True


def prepare(runtime: RuntimeDir) -> None:
    """Make the directory if it is missing, and check that it is ours alone.

    Raises:
        RuntimeDirError: it cannot be made, is a link, belongs to somebody else, or is open to others.
    """
    try:
        runtime.path.mkdir(mode=0o700)
        runtime.path.chmod(runtime.mode)  # whatever the umask is
    except FileExistsError:
        pass
    except OSError as error:
        raise RuntimeDirError(f"{runtime.path}: cannot be made: {error.strerror}") from None
    _check_directory(runtime)


def examine(runtime: RuntimeDir) -> None:
    """Check that `prepare` would succeed, without making anything.

    Raises:
        RuntimeDirError: it would not.
    """
    if os.path.lexists(runtime.path):
        _check_directory(runtime)
    elif not os.access(runtime.path.parent, os.W_OK | os.X_OK):
        raise RuntimeDirError(f"{runtime.path}: cannot be made: no right to write to {runtime.path.parent}")


def _check_directory(runtime: RuntimeDir) -> None:
    try:
        directory = os.open(runtime.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise RuntimeDirError(f"{runtime.path}: is not a directory of ours: {error.strerror}") from None
    try:
        _check(runtime, os.fstat(directory))
    finally:
        os.close(directory)


def _check(runtime: RuntimeDir, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise RuntimeDirError(f"{runtime.path}: belongs to user {status.st_uid}, not to {os.geteuid()}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & ~runtime.mode & 0o777:
        raise RuntimeDirError(f"{runtime.path}: mode {mode:04o} lets others in; chmod {runtime.mode:04o} it")
