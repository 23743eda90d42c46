"""Chapter clips: a few seconds of tinted, flickering title cards as vertical H.264."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import imageio_ffmpeg
from PIL import Image, ImageFilter

from demo.catalog.beats import beats, duration_ms
from demo.catalog.film import FRAMES_PER_SECOND, HEIGHT, WIDTH, Shot, project
from demo.catalog.palettes import TINTS
from demo.catalog.posters import render_poster
from demo.catalog.render_cache import cached
from demo.catalog.title_cards import (
    CARD_HEIGHT,
    CARD_WIDTH,
    chapter_card,
    cliffhanger_card,
)

if TYPE_CHECKING:
    from pathlib import Path

    from demo.catalog.palettes import Tint
    from demo.catalog.serial import Chapter, Serial

# Minor-key drones, in hertz: the piano in the pit, far away.
_ROOTS = (110.0, 123.47, 130.81, 146.83, 164.81)


class ClipRenderError(RuntimeError):
    """The encoder refused a clip; the message ends with what it said."""


def render_clip(serial: Serial, chapter: Chapter, cache_dir: Path) -> Path:
    """Return the chapter's clip, an mp4 of 360 by 640, rendering it if the cache lacks it.

    Raises ClipRenderError when the encoder fails; the cache is then as it was before.
    """
    poster = render_poster(serial, cache_dir)
    timing = [(beat.start_ms, beat.end_ms) for beat in beats(serial, chapter)]
    inputs = {
        "kind": "clip",
        "poster": poster.name,
        "tint": TINTS[serial.look.tint],
        "serial": [serial.title, serial.studio, serial.release_year, len(serial.chapters)],
        "chapter": [chapter.number, dict(chapter.titles), chapter.hook],
        "timing": timing,
    }

    def make(path: Path) -> None:
        shots = _shots(serial, chapter, poster)
        _encode(shots, path, serial=serial, chapter=chapter)

    name = f"clips/{serial.external_id}/{chapter.number:03d}"
    return cached(cache_dir, name=name, suffix=".mp4", inputs=inputs, make=make)


def _shots(serial: Serial, chapter: Chapter, poster: Path) -> list[Shot]:
    """The bill while the hook plays, then the chapter's card, then the cliffhanger's."""
    timing = beats(serial, chapter)
    opening, ending = timing[0], timing[-1]
    with Image.open(poster) as bill:
        # A stone's grain is softened here: at this size it would only spend the encoder's bits.
        grey = bill.convert("L").filter(ImageFilter.GaussianBlur(1.6))
        still = grey.resize((CARD_WIDTH, CARD_HEIGHT), Image.Resampling.BOX)
    return [
        Shot(still, _frames(opening.end_ms)),
        Shot(chapter_card(serial, chapter), _frames(ending.start_ms - opening.end_ms)),
        Shot(cliffhanger_card(serial, chapter), _frames(ending.end_ms - ending.start_ms)),
    ]


def _frames(span_ms: int) -> int:
    return span_ms * FRAMES_PER_SECOND // 1000


def _encode(shots: list[Shot], path: Path, *, serial: Serial, chapter: Chapter) -> None:
    seconds = duration_ms(serial, chapter) / 1000
    command = _command(path, seconds=seconds, root_hz=_ROOTS[chapter.number % len(_ROOTS)])
    chroma = _chroma(TINTS[serial.look.tint])
    with subprocess.Popen(  # noqa: S603 - our own arguments, and no shell
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as encoder:
        if encoder.stdin is None or encoder.stderr is None:
            raise ClipRenderError("the encoder was started without pipes")
        # An encoder that gives up closes the pipe; its exit status and last words say why.
        with suppress(BrokenPipeError):
            for frame in project(shots, seed=f"{serial.external_id}/{chapter.number}"):
                encoder.stdin.write(frame.tobytes() + chroma)
            encoder.stdin.close()
        words = encoder.stderr.read().decode(errors="replace")
    if encoder.returncode != 0:
        raise ClipRenderError(f"{serial.external_id}/{chapter.number}: {words[-400:]}")


def _chroma(tint: Tint) -> bytes:
    quarter = WIDTH * HEIGHT // 4
    return bytes([tint.cb]) * quarter + bytes([tint.cr]) * quarter


def _command(path: Path, *, seconds: float, root_hz: float) -> list[str]:
    # One thread and no stamps of version or time: the same frames give the same file.
    # The sound stops a little early, or its last packet would outlast the picture.
    rest = f"sample_rate=22050:duration={seconds - 0.05:.3f}"
    tones = "".join(
        f"sine=frequency={root_hz * ratio:.2f}:{rest}[{pad}];"
        for pad, ratio in (("root", 1), ("third", 1.2), ("fifth", 1.5))
    )
    drone = f"{tones}[root][third][fifth]amix=inputs=3,tremolo=f=0.6:d=0.5,volume=0.5"
    picture = f"-f rawvideo -pix_fmt yuv420p -s {WIDTH}x{HEIGHT} -r {FRAMES_PER_SECOND} -i pipe:0"
    encoding = "-c:v libx264 -preset veryfast -crf 31 -bf 0 -g 48 -threads 1 -pix_fmt yuv420p"
    sound = "-c:a aac -b:a 32k -ac 1"
    plain = "-map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact"
    return [
        imageio_ffmpeg.get_ffmpeg_exe(),
        *["-hide_banner", "-loglevel", "error", "-nostdin", "-y"],
        *picture.split(),
        *("-f", "lavfi", "-i", drone),
        *f"{encoding} {sound} {plain} -movflags +faststart -f mp4".split(),
        str(path),
    ]
