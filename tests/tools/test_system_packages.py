"""What is there is not installed; what is missing is installed by root, and named to everybody else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools import system_packages
from tools.system_packages import Need


@pytest.fixture
def one_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = (Need("there", lambda: True), Need("absent", lambda: False))
    monkeypatch.setattr(system_packages, "GROUPS", {"some": needs})


@pytest.mark.usefixtures("one_missing")
def test_only_what_is_missing_is_named_to_a_user(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert system_packages.main(["some"]) == 1
    assert capsys.readouterr().err == "missing software; type this first: sudo apt-get install -y absent\n"


@pytest.mark.usefixtures("one_missing")
def test_root_installs_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(system_packages, "install", asked.append)
    assert system_packages.main(["some", "some"]) == 0
    assert asked == [["absent"]]


def test_an_unknown_group_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert system_packages.main(["nonsense"]) == 2
    assert "usage" in capsys.readouterr().err


def test_servers_are_kept_from_starting_and_a_foreign_policy_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(system_packages, "POLICY", policy)
    with system_packages.services_stay_stopped():
        assert "exit 101" in policy.read_text()
    assert not policy.exists()
    policy.write_text("theirs")
    with system_packages.services_stay_stopped():
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"


def test_who_installs_at_the_same_time_takes_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at_work: list[str] = []
    most: list[int] = []

    def slowly(*_words: object, **_options: object) -> None:
        at_work.append("apt")
        most.append(len(at_work))
        time.sleep(0.02)
        at_work.pop()

    monkeypatch.setattr(system_packages, "POLICY", tmp_path / "policy")
    monkeypatch.setattr(system_packages, "TURNS", tmp_path / "locks" / "turns")
    monkeypatch.setattr("subprocess.run", slowly)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(system_packages.install, [["a"], ["b"], ["c"]])) == [None] * 3
    assert most == [1] * 6
