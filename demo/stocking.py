"""Filling a running instance with the demo's serials: media rendered here, pushed over HTTP."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from demo.answers import SeriesPushed
from demo.catalog import Rendered, Serial, series_payload, sha256_of
from demo.pipeline import PipelineClient

PROJECT = Path(__file__).resolve().parent.parent


def cache_dir(data_dir: Path) -> Path:
    """Where renders are kept: with the project, so that every instance finds them, if we may."""
    shared = PROJECT / ".cache" / "demo"
    try:
        shared.mkdir(parents=True, exist_ok=True)
    except OSError:
        return data_dir / "cache"
    return shared if os.access(shared, os.W_OK) else data_dir / "cache"


def push(
    pipeline: PipelineClient,
    serials: Iterable[Serial],
    rendered: dict[str, Rendered],
    *,
    on_pushed: Callable[[SeriesPushed], None] = lambda pushed: None,
) -> list[SeriesPushed]:
    """Push each serial with the media it was rendered to."""
    answers = []
    for serial in serials:
        answers.append(push_one(pipeline, serial, rendered[serial.external_id]))
        on_pushed(answers[-1])
    return answers


def push_one(
    pipeline: PipelineClient,
    serial: Serial,
    media: Rendered,
    *,
    state: str = "published",
    publish_at: str | None = None,
) -> SeriesPushed:
    """Push one serial in a state, `scheduled` with the RFC 3339 moment at which it is due."""
    poster = sha256_of(media.poster)
    clips = {number: sha256_of(clip) for number, clip in media.clips.items()}
    payload = series_payload(
        serial,
        poster_sha256=poster,
        clip_sha256_by_number=clips,
        state=state,
        publish_at=publish_at,
    )
    files = {sha256: media.clips[number] for number, sha256 in clips.items()}
    return pipeline.push(serial.external_id, payload, files={**files, poster: media.poster})
