"""Who is the first to use an accepted connection needs no leave of who accepted it: a token is nobody's until then."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.native.shim_programs import build
from tests.support.host import Host

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace tells of fences; it is not installed")


@pytest.mark.parametrize("user", ["owner", "thread", "child"])
def test_the_first_use_of_an_accepted_connection_passes_no_fence(user: str, own_host: Host, tmp_path: Path) -> None:
    own_host.start_monitor()
    trace = tmp_path / "trace"
    words = ("strace", "-f", "-o", str(trace), "-e", "trace=getpgrp,membarrier", str(build("handed", tmp_path)), user)
    subprocess.run(words, env=own_host.environment(shim=True), timeout=60, check=True)
    assert own_host.sums().tcp_bytes == 0, "measured the kernel"
    calls = re.findall(r"^\d+ +(getpgrp|membarrier)\(", trace.read_text(), re.MULTILINE)
    begins, ends = (number for number, call in enumerate(calls) if call == "getpgrp")
    assert calls[begins + 1 : ends] == []
