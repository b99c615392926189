"""`python -m sdcore.monitor`: the monitor as a process. People use `sdcore monitor start`.

Exit codes: 0 served (or, detached, serves now), 1 a fault, 2 wrong configuration or environment, 3 another one serves.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

from sdcore.config import Config, ConfigError, load
from sdcore.monitor import lock, logs, paths
from sdcore.monitor.daemon import Daemon
from sdcore.monitor.launch import EXIT_FAULT, EXIT_SERVED, EXIT_USAGE


def main() -> int:
    """Check everything that can be wrong, then serve."""
    options = _options()
    runtime = paths.RuntimeDir(Path(options.dir), system=options.system)
    os.umask(0o077)
    try:
        config = load(system=options.system)
        paths.prepare(runtime)
        held = lock.acquire(runtime.lock)
        daemon = Daemon(runtime, config)
    except (ConfigError, paths.RuntimeDirError) as error:
        return _fail(str(error), EXIT_USAGE)
    except lock.AlreadyServed as error:
        return _fail(str(error), EXIT_SERVED)
    except OSError as error:
        return _fail(f"{runtime.path}: {error}", EXIT_FAULT)
    if options.detach and os.fork() != 0:
        return 0  # the socket listens already: who connects now is answered in a moment
    if options.detach:
        _leave_terminal(runtime)
    _serve(daemon, config, held)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sdcore.monitor", description=__doc__)
    parser.add_argument("--dir", required=True, help="runtime directory")
    parser.add_argument("--system", action="store_true", help="serve all users")
    parser.add_argument("--detach", action="store_true", help="go to the background once the socket listens")
    return parser.parse_args()


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _leave_terminal(runtime: paths.RuntimeDir) -> None:
    """A session of our own, no terminal, no directory kept busy, the log for what is said."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(runtime.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)


def _serve(daemon: Daemon, config: Config, held: int) -> None:
    lock.write_pid(held)
    logs.set_up(config.monitor.log_level)
    _notify_manager()
    daemon.run()
    os.close(held)


def _notify_manager() -> None:
    """Tell systemd that we are ready, where it asked to be told."""
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)


if __name__ == "__main__":
    sys.exit(main())
