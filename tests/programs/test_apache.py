"""Apache with processes (prefork) and with threads and epoll (event), gracefully restarted under load."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.http_load import HttpLoad
from tests.programs.needs import SCRIPTS, as_user, need, need_user
from tests.support.combinations import Combination, Meter, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening, wait_until

PACKAGE = "apache2-bin"
USER = "www-data"
SIZES = (5, 3_000, 400_000)
MODULES = "/usr/lib/apache2/modules"
CONFIGURATION = """
LoadModule mpm_{kind}_module {modules}/mod_mpm_{kind}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
ServerRoot {folder}
ServerName localhost
Mutex file:{folder} default
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
DocumentRoot {folder}/www
EnableSendfile {sendfile}
MaxKeepAliveRequests 0
{limits}
"""
KINDS = {
    "prefork": {"sendfile": "on", "limits": "StartServers 4"},
    "event": {"sendfile": "off", "limits": "StartServers 2\nThreadsPerChild 8\nMaxRequestWorkers 32"},
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's user may read and write."""
    made = Path(tempfile.mkdtemp(prefix="sd-apache-"))
    (made / "www").mkdir()
    for size in SIZES:
        (made / "www" / str(size)).write_bytes(os.urandom(size))
    if os.geteuid() == 0:
        shutil.chown(made, USER, USER)
    yield made
    shutil.rmtree(made)


@main_combination
@pytest.mark.parametrize("kind", KINDS)
def test_graceful_restart_cuts_nothing(
    combination: Combination, kind: str, shared_host: Host, processes: Processes, folder: Path
) -> None:
    """While it restarts nobody accepts, for a second and more; clients that waited go on by kernel TCP for a while."""
    apache = need("apache2", PACKAGE)
    need_user(USER, PACKAGE)
    meter = Meter(shared_host, combination)
    port = free_port()
    settings = {"kind": kind, "modules": MODULES, "folder": folder, "port": port, **KINDS[kind]}
    (folder / "apache.conf").write_text(CONFIGURATION.format(**settings))
    words = as_user(USER, apache, "-D", "FOREGROUND", "-f", str(folder / "apache.conf"))
    server = processes.start(words, shared_host.environment(combination.server), cwd=folder)
    wait_listening(port, server)
    files = {str(size): folder / "www" / str(size) for size in SIZES}
    script = shutil.copy(SCRIPTS / "http_load.py", folder)
    launcher = as_user(USER, need("/usr/bin/python3", "python3"), script)
    load = HttpLoad(processes, shared_host.environment(combination.client), port, files, launcher=launcher)
    load.wait_more(100)
    meter.check(bytes_min=80 * sum(SIZES) // len(SIZES))
    server.send_signal(signal.SIGUSR1)
    log = folder / "error.log"
    wait_until(lambda: log.read_text().count("resuming normal operations") >= 2, "restarted")
    load.wait_more(100)
    assert load.finish() >= 200
    assert stop(server, signal.SIGTERM) == 0, log.read_text()
