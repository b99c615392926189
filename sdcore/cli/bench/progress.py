"""A progress bar on standard error that is drawn between measurements only: a thread that draws would run on a measured
core."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Steps:
    """Counts steps. A context manager; the bar is gone at the end.

    Args:
        total: how often `step` will be called.
    """

    def __init__(self, total: int) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
        self._task = self._bar.add_task("", total=total)
        self._begun = False

    def step(self, description: str) -> None:
        """The step before is done, and this one begins."""
        self._bar.update(self._task, description=description, advance=int(self._begun))
        self._bar.refresh()
        self._begun = True

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
