"""Runs a server example and a client example against each other."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sdcore.cli.bench.routes import Watch

SECONDS_MAX = 30


def talk(server: Sequence[str], client: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """What both printed. `{port}` in the client's words is the server's port. Both must end with 0, in bounded time."""
    env = dict(os.environ if environment is None else environment)
    with subprocess.Popen(server, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.fullmatch(r"listening on 127\.0\.0\.1 port (\d+)\n", first)
            assert found is not None, first or process.communicate(timeout=SECONDS_MAX)
            words = [word.format(port=found[1]) for word in client]
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
            assert done.returncode == 0, done.stderr
            served, fault = process.communicate(timeout=SECONDS_MAX)
            assert process.returncode == 0, fault
        finally:
            with suppress(ProcessLookupError):
                process.kill()
    return served, done.stdout


def assert_shared(watch: Watch) -> None:
    """Shared memory carried it. Offers that a busy host let run out are the only excuse, and not for all of them."""
    watch.look()
    assert watch.share is not None
    ends, reasons = watch.share.traffic.ends, watch.share.traffic.reasons
    assert ends.get("shm", 0) > 0, watch.share
    assert watch.share.enough or ends.get("tcp", 0) <= 2 * reasons.get("offer_timeout", 0), watch.share


def counted(output: str) -> int:
    """The number of messages in the last line."""
    found = re.search(r"(\d+) (?:messages|round trips)[^\n]*mean [\d.]+", output)
    assert found is not None, output
    return int(found[1])
