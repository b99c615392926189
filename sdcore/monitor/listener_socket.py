"""The monitor's own listening socket.

Whoever holds the lock of the runtime directory may replace a socket that a dead monitor left behind.
"""

from __future__ import annotations

import os
import socket
import stat

from sdcore.monitor.paths import RuntimeDir, RuntimeDirError

BACKLOG = 1024


def open_listener(runtime: RuntimeDir) -> socket.socket:
    """Bind and listen, not blocking.

    Raises:
        RuntimeDirError: something that is not a socket stands in the way, or the kernel refuses.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _remove_stale(runtime)
        listener.bind(str(runtime.socket))
        os.chmod(runtime.socket, runtime.socket_mode)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise RuntimeDirError(f"{runtime.socket}: cannot listen: {error.strerror}") from None
    return listener


def _remove_stale(runtime: RuntimeDir) -> None:
    try:
        status = os.lstat(runtime.socket)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise FileExistsError(None, "something that is not a socket has its name")
    os.unlink(runtime.socket)


def accept(listener: socket.socket) -> socket.socket:
    """The next connection, not blocking.

    Raises:
        BlockingIOError: there is none. OSError: no descriptor is left, or the client is gone already.
    """
    connection, _ = listener.accept()
    connection.setblocking(False)
    return connection
