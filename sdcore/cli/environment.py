"""What commands check before they do anything: variables and configuration that the user set.

A monitor that serves has read its configuration long ago; that one is wrong now is told all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from sdcore import config_files
from sdcore.monitor.paths import RuntimeDir

DISABLE_VALUES = ("", "0", "1")


def check_disable(environ: Mapping[str, str]) -> None:
    """Refuse a value of `SDCORE_DISABLE` of which one cannot tell what it shall mean."""
    value = environ.get("SDCORE_DISABLE", "")
    if value not in DISABLE_VALUES:
        raise click.UsageError(f"SDCORE_DISABLE: {value!r} is neither 0 nor 1")


def check_configuration(environ: Mapping[str, str], runtime: RuntimeDir) -> None:
    """Refuse a configuration that a monitor started now would refuse.

    A user's files do not concern the system-wide monitor, and its own need not be readable by him.
    """
    if runtime.system and not environ.get("SDCORE_CONFIG"):
        return
    if not any(config_files.applying(environ, system=False)):
        return
    from sdcore import config

    try:
        config.load(environ)
    except config.ConfigError as error:
        raise click.UsageError(str(error)) from None
