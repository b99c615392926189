"""Objects of the tests' programs are kept, and never wrongly."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import compiler


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of objects."""
    monkeypatch.setattr(compiler, "OBJECTS", tmp_path / "objects")
    return tmp_path / "objects"


def answer(folder: Path, *flags: str) -> int:
    """What the program of this folder answers now."""
    program = compiler.build_program(folder / "program", [folder / "main.c"], ("-Wall", "-Werror", *flags))
    return subprocess.run([str(program)], check=False).returncode


def kept(objects: Path) -> int:
    return len(list(objects.glob("*.o")))


def test_a_change_of_a_header_or_a_flag_makes_another_object(objects: Path, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text('#include "number.h"\nint main(void) { return NUMBER + FLAG; }\n')
    (tmp_path / "number.h").write_text("#define NUMBER 1\n")
    assert (answer(tmp_path, "-DFLAG=0"), kept(objects)) == (1, 1)
    assert (answer(tmp_path, "-DFLAG=0"), kept(objects)) == (1, 1)
    (tmp_path / "number.h").write_text("#define NUMBER 2\n")
    assert (answer(tmp_path, "-DFLAG=0"), kept(objects)) == (2, 2)
    assert (answer(tmp_path, "-DFLAG=3"), kept(objects)) == (5, 3)


def test_what_does_not_compile_is_not_kept(objects: Path, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { int unused; return 0; }\n")
    for _ in range(2):
        with pytest.raises(AssertionError, match="unused"):
            answer(tmp_path)
    assert kept(objects) == 0
