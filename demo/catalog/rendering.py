"""Render the whole catalogue's posters and clips, on every core, into one resumable cache."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.catalog.clips import render_clip
from demo.catalog.posters import render_poster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from demo.catalog.serial import Chapter, Serial


@dataclass(frozen=True, slots=True)
class Rendered:
    """One serial's finished media: its poster, and its clips by chapter number."""

    poster: Path
    clips: Mapping[int, Path]


def render_all(
    serials: Iterable[Serial],
    cache_dir: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Rendered]:
    """Render what the cache lacks and return every serial's media by external id.

    Calls `on_progress(done, total)` from this thread after each file. A run that is interrupted
    leaves whole files only, and the next one goes on from there.
    """
    serials = list(serials)
    total = sum(1 + len(serial.chapters) for serial in serials)
    posters: dict[str, Path] = {}
    clips: dict[str, dict[int, Path]] = {serial.external_id: {} for serial in serials}
    # Threads are enough: drawing lets go of the interpreter and encoding is its own process.
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)
    try:
        drawing = {pool.submit(render_poster, serial, cache_dir): serial for serial in serials}
        for done, drawn in enumerate(as_completed(drawing), start=1):
            posters[drawing[drawn].external_id] = drawn.result()
            on_progress(done, total)
        filming = {
            pool.submit(render_clip, serial, chapter, cache_dir): (serial, chapter)
            for serial, chapter in _first_chapters_first(serials)
        }
        for done, filmed in enumerate(as_completed(filming), start=len(serials) + 1):
            serial, chapter = filming[filmed]
            clips[serial.external_id][chapter.number] = filmed.result()
            on_progress(done, total)
    finally:
        pool.shutdown(cancel_futures=True)
    return {
        name: Rendered(poster=posters[name], clips=dict(sorted(clips[name].items())))
        for name in posters
    }


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex, as the pipeline names media."""
    with path.open("rb") as media:
        return hashlib.file_digest(media, "sha256").hexdigest()


def _first_chapters_first(serials: list[Serial]) -> list[tuple[Serial, Chapter]]:
    # A catalogue that is still rendering can already be browsed.
    pairs = [(serial, chapter) for serial in serials for chapter in serial.chapters]
    return sorted(pairs, key=lambda pair: pair[1].number)
