"""What is generated is committed, and a difference is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sdcore.protocol import gen
from sdcore.protocol.gen_docs import drawing
from sdcore.protocol.kit import Machine
from sdcore.protocol.machines import MACHINES, MODULES


def test_the_committed_files_are_what_the_protocol_gives() -> None:
    assert gen.differing(gen.ROOT) == []


def test_check_is_a_command_that_says_nothing_when_all_is_well() -> None:
    command = [sys.executable, "-m", "sdcore.protocol.gen", "--check"]
    done = subprocess.run(command, cwd=gen.ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_changed_a_missing_and_a_left_over_file_are_named_and_repaired(tmp_path: Path) -> None:
    gen.write(tmp_path)
    assert gen.differing(tmp_path) == []
    changed, missing, left_over = gen.GENERATED / "layout.h", gen.PAGES / "waiter.md", gen.PAGES / "gone.md"
    (tmp_path / changed).write_text("/* by hand */\n")
    (tmp_path / missing).unlink()
    (tmp_path / left_over).write_text("# A machine that is no more\n")
    assert gen.differing(tmp_path) == sorted([changed, missing, left_over])
    assert gen.write(tmp_path) == sorted([changed, missing, left_over])
    assert gen.differing(tmp_path) == []


def test_check_names_what_differs_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gen.write(tmp_path)
    (tmp_path / gen.GENERATED / "machines.h").write_text("")
    monkeypatch.setattr(gen, "ROOT", tmp_path)
    assert gen.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("sdcore/native/generated/machines.h: differs")
    assert (tmp_path / gen.GENERATED / "machines.h").read_text() == ""
    assert gen.main([]) == 0
    assert gen.main(["--check"]) == 0


def test_wrong_words_are_refused() -> None:
    assert gen.main(["--chekc"]) == 2


def test_every_machine_is_collected_once_under_its_own_name() -> None:
    names = [machine.name for machine in MACHINES]
    assert len(names) == len(set(names))
    declared = {id(value) for module in MODULES for value in vars(module).values() if isinstance(value, Machine)}
    assert declared == {id(machine) for machine in MACHINES}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_the_drawing_shows_every_row_that_does_something(machine: Machine) -> None:
    text = "\n".join(drawing(machine))
    for row in machine.rows:
        edge = f"    {row.state.name} -> {row.next.name} ["
        shown = [line for line in text.splitlines() if line.startswith(edge) and row.event.name in line]
        assert shown or (row.next is row.state and not row.effects)
