"""What the demo and the smoke test print: lines for anyone, bars and colours for a terminal."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.cells import set_cell_size
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_NAME_COLUMNS = 16
_LABEL_COLUMNS = 6


class Screen:
    """Standard output. Nothing is styled or redrawn unless it is a terminal."""

    def __init__(self) -> None:
        # A terminal that cannot show Chinese shows question marks rather than ending us.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace", line_buffering=True)
        self._console = Console(highlight=False)
        # It reports every request, and those of the journey are told of here already.
        logging.getLogger("httpx").setLevel(logging.WARNING)

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """A line as it is; long ones are the terminal's to break, so that they can be copied."""
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """A line that starts a part."""
        self.say()
        self.say(text, style="bold")

    def step(self, name: str, seen: str, *, duration_ms: float) -> None:
        """A step that went well."""
        self._console.print("  [green]ok[/]  ", end="")
        # Padded by cells: a Chinese character takes two.
        self._console.print(set_cell_size(name, _NAME_COLUMNS), style="bold", end="")
        self.say(f"  {seen}  ({duration_ms:.0f} ms)")

    def failure(self, text: str) -> None:
        """What went wrong."""
        self.say(text, style="red")

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Labels and what belongs to them; rows without a text are left out."""
        for label, text in rows:
            if not text:
                continue
            self.say(f"  {label:<{_LABEL_COLUMNS}}  {text}")

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Inside, call the yielded function with how many of how many are done.

        On a terminal that is a bar, which disappears at the end; elsewhere a line at the start.
        """
        if not self._console.is_terminal:
            self.say(f"  {label} ...")
            yield lambda done, total: None
            return
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
