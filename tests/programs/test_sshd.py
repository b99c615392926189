"""sshd, which starts itself anew for each connection, with ssh and scp.

The connection becomes standard input and output of a new program, so the server's end moves to kernel TCP when it is
handed over; what the client had sent before moves with it.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from tests.programs.needs import need
from tests.support.combinations import Combination, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening

PACKAGE = "openssh-server"
SIZE = 3_000_000
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""
SEPARATION = Path("/run/sshd")


def ssh_options(folder: Path, port: int) -> list[str]:
    """What ssh and scp must know; nothing comes from the user's own files."""
    return [
        *("-F", "none", "-i", f"{folder}/user", "-o", f"Port={port}", "-o", "BatchMode=yes"),
        *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder}/known", "-o", "LogLevel=ERROR"),
    ]


def start_sshd(processes: Processes, env: dict[str, str], folder: Path) -> int:
    """Start a server with keys of its own; return its port."""
    port = free_port()
    for name in ("host", "user"):
        processes.check([need("ssh-keygen", PACKAGE), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], env)
    (folder / "sshd.conf").write_text(CONFIGURATION.format(port=port, folder=folder))
    if os.geteuid() == 0:
        SEPARATION.mkdir(mode=0o755, exist_ok=True)
    words = [need("sshd", PACKAGE), "-D", "-e", "-f", str(folder / "sshd.conf")]
    wait_listening(port, processes.start(words, env))
    return port


@main_combination
def test_scp_both_ways(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    before = host.sums()
    port = start_sshd(processes, host.environment(combination.server), tmp_path)
    options = ssh_options(tmp_path, port)
    (tmp_path / "file").write_bytes(os.urandom(SIZE))
    env = host.environment(combination.client)
    there = f"{getpass.getuser()}@127.0.0.1:{tmp_path}"
    processes.check([need("scp", PACKAGE), *options, str(tmp_path / "file"), f"{there}/sent"], env)
    processes.check([need("scp", PACKAGE), *options, f"{there}/sent", str(tmp_path / "back")], env)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()
    ssh = [need("ssh", PACKAGE), *options, f"{getpass.getuser()}@127.0.0.1"]
    assert processes.check([*ssh, "cat; exit 0"], env, text="hello\n") == "hello\n"
    assert processes.run([*ssh, "exit 7"], env).code == 7
    moved = host.printed_sums().since(before)
    assert moved.shm_bytes < SIZE, moved
    if combination.client:
        assert moved.tcp_bytes >= 2 * SIZE, moved
    if combination.accelerated:
        assert moved.reasons.get("moved_exec", 0) + moved.reasons.get("moved_stdio", 0) >= 4, moved
