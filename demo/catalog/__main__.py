"""`python -m demo.catalog --cache DIR`: render every poster and clip, and say what came out."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from demo.catalog.rendering import render_all
from demo.catalog.serial import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.catalog.rendering import Rendered
    from demo.catalog.serial import Serial


def main(arguments: Sequence[str] | None = None) -> None:
    """Render the catalogue into the folder given with `--cache`."""
    parser = argparse.ArgumentParser(prog="python -m demo.catalog", description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for posters and clips")
    cache_dir: Path = parser.parse_args(arguments).cache
    console = Console()
    serials = load()
    started = time.monotonic()
    try:
        rendered = _render(serials, cache_dir, console)
    except KeyboardInterrupt:
        console.print("Stopped. What is finished stays; run it again to go on.")
        raise SystemExit(130) from None
    console.print(_summary(serials, rendered, seconds=time.monotonic() - started))


def _render(serials: list[Serial], cache_dir: Path, console: Console) -> dict[str, Rendered]:
    columns = (
        TextColumn("[bold]Posters and clips"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("render", total=None)
        return render_all(
            serials,
            cache_dir,
            lambda done, total: progress.update(task, completed=done, total=total),
        )


def _summary(serials: list[Serial], rendered: dict[str, Rendered], *, seconds: float) -> Table:
    table = Table(title=f"Demo catalogue, ready in {seconds:.1f} s")
    table.add_column("Serial")
    table.add_column("Year", justify="right")
    table.add_column("Chapters", justify="right")
    table.add_column("Size", justify="right")
    sizes = {name: _size_bytes(media) for name, media in rendered.items()}
    for serial in serials:
        size = f"{sizes[serial.external_id] / 1e6:.1f} MB"
        table.add_row(serial.title, str(serial.release_year), str(len(serial.chapters)), size)
    chapters = sum(len(serial.chapters) for serial in serials)
    table.add_section()
    table.add_row(
        f"{len(serials)} serials", "", str(chapters), f"{sum(sizes.values()) / 1e6:.1f} MB"
    )
    return table


def _size_bytes(media: Rendered) -> int:
    return sum(path.stat().st_size for path in (media.poster, *media.clips.values()))


if __name__ == "__main__":
    main()
