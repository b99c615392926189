"""Configuration of the monitor: one TOML file, checked before anything starts.

`$SDCORE_CONFIG` names the only file read, which must exist. Without it `/etc/sdcore.toml` and then
`~/.config/sdcore/config.toml` are read where they exist, and a key in the second wins; the system-wide monitor reads
`/etc/sdcore.toml` alone. A fault is reported as one line: file, key, what is allowed there.

    [policy]
    allow_users = [["alice", "www-data"], [1000, 1001]]   # pairs that may share memory; same user always may
    allow_namespaces = false                              # whether network namespaces may, too

    [monitor]
    max_leases = 4096
    log_level = "info"
"""

from __future__ import annotations

import os
import pwd
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sdcore import config_files

UID_MAX = 2**32 - 2


class ConfigError(Exception):
    """A configuration that cannot be used; the text is one line for the user."""


def _uid_of(user: object) -> int:
    """The number of a user given by number or name; ValueError if there is no such user."""
    if isinstance(user, str):
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            raise ValueError(f"no user is named {user!r}") from None
    if isinstance(user, bool) or not isinstance(user, int) or not 0 <= user <= UID_MAX:
        raise ValueError(f"{_shown(user)} is not a user")
    return user


def _shown(value: object) -> str:
    """A value as it stands in the file, nearly."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _lower(level: object) -> object:
    """Levels are written in any case."""
    return level.lower() if isinstance(level, str) else level


Uid = Annotated[int, BeforeValidator(_uid_of)]
Level = Literal["debug", "info", "warning", "error"]


class _Section(BaseModel):
    """Base of all sections: unknown keys are faults, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PolicySection(_Section):
    """Who may share memory with whom."""

    allow_users: tuple[tuple[Uid, Uid], ...] = Field(
        default=(), description='a list of pairs of user names or numbers, like [["alice", 1001]]'
    )
    allow_namespaces: bool = Field(default=False, description="true or false", strict=True)


class MonitorSection(_Section):
    """Limits and logging of the daemon."""

    max_leases: int = Field(default=4096, ge=1, le=65536, strict=True, description="a whole number from 1 to 65536")
    log_level: Annotated[Level, BeforeValidator(_lower)] = Field(
        default="info", description="one of debug, info, warning, error"
    )


class Config(_Section):
    """All that can be configured."""

    policy: PolicySection = Field(default=PolicySection(), description="a table")
    monitor: MonitorSection = Field(default=MonitorSection(), description="a table")


SECTIONS: dict[str, type[BaseModel]] = {"policy": PolicySection, "monitor": MonitorSection}


def load(environ: Mapping[str, str] | None = None, *, system: bool = False) -> Config:
    """Read the configuration files that apply; defaults where there is none. Blocks on the file system.

    Raises:
        ConfigError: a file cannot be read, is not TOML, or has a key or value that is not allowed.
    """
    environ = os.environ if environ is None else environ
    merged: dict[str, dict[str, Any]] = {}
    config = Config()
    for path in config_files.applying(environ, system=system):
        for section, values in _read(path).items():
            merged.setdefault(section, {}).update(values)
        config = _validate(merged, path)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, a number too long, brackets too deep
        raise ConfigError(f"{path}: not TOML: {error}") from None
    _validate(document, path)
    return document


def _validate(document: Mapping[str, Any], path: Path) -> Config:
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"{path}: {_explain(first['loc'], first['type'], first['msg'], first['input'])}") from None


def _explain(loc: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    """One line for one fault: the key, what is wrong, what would be right."""
    key = ".".join(str(part) for part in loc)
    section: type[BaseModel] = SECTIONS[str(loc[0])] if len(loc) > 1 else Config
    if kind == "extra_forbidden":
        return f"{key}: unknown key; known here: {', '.join(section.model_fields)}"
    allowed = section.model_fields[str(loc[1] if len(loc) > 1 else loc[0])].description
    ours = message.removeprefix("Value error, ") if kind == "value_error" else f"{_shown(value)} is not allowed"
    return f"{key}: {ours}; allowed: {allowed}"
