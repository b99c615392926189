"""openssl s_server and s_client."""

from __future__ import annotations

from pathlib import Path

from tests.programs.needs import need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening

SIZE = 3_000_000


def certificate(openssl: str, processes: Processes, folder: Path, env: dict[str, str]) -> list[str]:
    """Make a key and a certificate; return the words that name them."""
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words = ["req", "-x509", *curve, "-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", cert]
    processes.check([openssl, *words], env)
    return ["-key", key, "-cert", cert]


@every_combination
def test_file_by_tls(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    openssl = need("openssl", "openssl")
    meter = Meter(host, combination)
    files = certificate(openssl, processes, tmp_path, host.environment(False))
    text = "0123456789abcde\n" * (SIZE // 16)
    (tmp_path / "file.txt").write_text(text)
    port = free_port()
    words = [openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-WWW", "-quiet", *files]
    server = processes.start(words, host.environment(combination.server))
    wait_listening(port, server)
    client = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", "-quiet"]
    for _ in range(2):
        answer = processes.check(client, host.environment(combination.client), text="GET /file.txt HTTP/1.0\r\n\r\n")
        assert answer.endswith("\r\n\r\n" + text)
    assert server.poll() is None
    meter.check(bytes_min=2 * 2 * SIZE)


@every_combination
def test_server_that_answers_each_line(
    combination: Combination, host: Host, processes: Processes, tmp_path: Path
) -> None:
    openssl = need("openssl", "openssl")
    meter = Meter(host, combination)
    files = certificate(openssl, processes, tmp_path, host.environment(False))
    port = free_port()
    words = [openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-rev", "-quiet", *files]
    wait_listening(port, processes.start(words, host.environment(combination.server)))
    client = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", "-quiet"]
    answer = processes.check(client, host.environment(combination.client), text="desrever\nCLOSE\n")
    assert answer.splitlines()[0] == "reversed"
    meter.check()
