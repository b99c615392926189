"""The configuration: which files count, and one clear line for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdcore import config, config_files


def load(path: Path, text: str) -> config.Config:
    """Load one file."""
    path.write_text(text)
    return config.load({"SDCORE_CONFIG": str(path)})


def test_without_files_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "SYSTEM_FILE", tmp_path / "none")
    assert config.load({"HOME": str(tmp_path)}) == config.Config()


def test_the_users_file_wins_key_by_key_and_the_system_ignores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_files, "SYSTEM_FILE", tmp_path / "system.toml")
    (tmp_path / "system.toml").write_text('[monitor]\nmax_leases = 5\nlog_level = "error"\n')
    (tmp_path / ".config" / "sdcore").mkdir(parents=True)
    (tmp_path / ".config" / "sdcore" / "config.toml").write_text("[monitor]\nmax_leases = 6\n")
    environ = {"HOME": str(tmp_path)}
    assert config.load(environ).monitor == config.MonitorSection(max_leases=6, log_level="error")
    assert config.load(environ, system=True).monitor.max_leases == 5


def test_users_are_named_or_numbered(tmp_path: Path) -> None:
    loaded = load(tmp_path / "c", '[policy]\nallow_users = [["root", 1000]]\n[monitor]\nlog_level = "DEBUG"\n')
    assert loaded.policy.allow_users == ((0, 1000),)
    assert loaded.monitor.log_level == "debug"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[policy", "not TOML"),
        ("[polcy]", "polcy: unknown key; known here: policy, monitor"),
        ("[policy]\nallow = 1", "policy.allow: unknown key; known here: allow_users, allow_namespaces"),
        ("policy = 3", "policy: 3 is not allowed; allowed: a table"),
        ("monitor = true", "monitor: true is not allowed; allowed: a table"),
        ('[policy]\nallow_users = [["no-such-user", 0]]', "no user is named 'no-such-user'"),
        (
            "[policy]\nallow_users = [[1, 2, 3]]",
            "policy.allow_users.0: [1, 2, 3] is not allowed; allowed: a list of pairs",
        ),
        ("[policy]\nallow_users = [[1]]", "allowed: a list of pairs"),
        ("[policy]\nallow_users = [[-1, 2]]", "-1 is not a user"),
        ("[policy]\nallow_users = [[true, 2]]", "true is not a user"),
        ('[policy]\nallow_namespaces = "yes"', "allowed: true or false"),
        ("[monitor]\nmax_leases = 0", "allowed: a whole number from 1 to 65536"),
        ('[monitor]\nmax_leases = "7"', "monitor.max_leases: '7' is not allowed; allowed: a whole number"),
        (
            '[monitor]\nlog_level = "loud"',
            "monitor.log_level: 'loud' is not allowed; allowed: one of debug, info, warning, error",
        ),
        ("[monitor]\nlog_level = 3", "monitor.log_level: 3 is not allowed"),
        pytest.param(f"a = {'[' * 100_000}", "not TOML", id="brackets"),
        pytest.param(f"a = {'1' * 5000}", "not TOML", id="digits"),
    ],
)
def test_a_fault_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(config.ConfigError) as fault:
        load(tmp_path / "c.toml", text)
    message = str(fault.value)
    assert message.startswith(f"{tmp_path / 'c.toml'}: ")
    assert named in message
    assert "\n" not in message
    assert "MonitorSection" not in message
    assert "Input should" not in message


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="cannot be read: No such file"):
        config.load({"SDCORE_CONFIG": str(tmp_path / "none.toml")})


def test_a_home_that_cannot_be_reached_has_no_configuration(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "SYSTEM_FILE", locked / "none")
    assert config.load({"HOME": str(locked)}) == config.Config()
