"""The tutorial's runner stops at the first command that does not do what the page says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tools import run_tutorial

PAGE = """
Words.

```console
$ echo one; echo two
one
```

```sh
exit 5
```

```console
$ name=three
$ echo $name and more
three ... more
```
"""


def run(tmp_path: Path, text: str) -> int:
    page = tmp_path / "page.md"
    page.write_text(text)
    return run_tutorial.main(page)


def test_only_console_blocks_run_and_share_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, PAGE) == 0
    assert "3 commands" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("$ true\n$ false\n$ true\n", "this failed: false"),
        ("$ echo b; echo a\na\nb\n", "this printed something else"),
        ("$ echo a\nb\n", "this printed something else"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], block: str, fault: str) -> None:
    assert run(tmp_path, f"```console\n{block}```\n") == 1
    assert fault in capsys.readouterr().err


def test_what_is_left_running_ends(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    assert run(tmp_path, f"```console\n$ sleep 600 &\n$ echo $! > {pid_file}\n```\n") == 0
    stat = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    end = time.monotonic() + 5
    while runs(stat) and time.monotonic() < end:
        time.sleep(0.01)
    assert not runs(stat)


def runs(stat: Path) -> bool:
    try:
        return stat.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
