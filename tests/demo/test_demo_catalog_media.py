"""Posters and clips: real files of the promised shape, drawn once and never half-written."""

import re
import subprocess
from itertools import pairwise

import imageio_ffmpeg
import pytest
from PIL import Image, ImageStat

from demo.catalog import (
    ClipRenderError,
    clips,
    duration_ms,
    load,
    render_all,
    render_clip,
    render_poster,
    sha256_of,
)
from demo.catalog.__main__ import main
from demo.catalog.render_cache import cached
from demo.catalog.title_cards import roman

SERIALS = {serial.external_id: serial for serial in load()}
FANTOMAS = SERIALS["fantomas-1913"]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("renders")


@pytest.fixture(scope="module")
def clip(cache_dir):
    return render_clip(FANTOMAS, FANTOMAS.chapters[0], cache_dir)


def described(path):
    """What ffmpeg says of a file, decoding all of it."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", path, "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def boxes(path):
    """The names of an mp4's top-level boxes, in order."""
    data = path.read_bytes()
    names, offset = [], 0
    while offset < len(data):
        size = int.from_bytes(data[offset : offset + 4])
        names.append(data[offset + 4 : offset + 8].decode())
        offset += size
    return names


def test_draws_a_vertical_jpeg_poster(cache_dir):
    poster = render_poster(FANTOMAS, cache_dir)

    with Image.open(poster) as image:
        assert image.format == "JPEG"
        assert image.size == (720, 1280)
        # A drawing, not a blank: many inks and both ends of the scale.
        ((dark, light),) = ImageStat.Stat(image.convert("L")).extrema
    assert dark < 40
    assert light > 200
    assert 60_000 < poster.stat().st_size < 900_000


def test_draws_different_posters_for_different_serials(cache_dir):
    posters = [render_poster(SERIALS[name], cache_dir) for name in ("judex-1917", "tih-minh-1919")]

    assert len({sha256_of(poster) for poster in posters}) == 2


def test_renders_a_vertical_h264_clip_with_quiet_sound(clip):
    words = described(clip)

    assert re.search(r"Video: h264 .*yuv420p.*360x640.* 12 fps", words)
    assert re.search(r"Audio: aac .*mono", words)


def test_renders_a_clip_as_long_as_its_payload_says(clip):
    words = described(clip)

    hours, minutes, seconds = re.search(r"Duration: (\d+):(\d+):([\d.]+)", words).groups()
    length_ms = (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000
    assert length_ms == pytest.approx(duration_ms(FANTOMAS, FANTOMAS.chapters[0]), abs=50)


def test_puts_the_index_before_the_picture_so_playback_can_start_early(clip):
    names = boxes(clip)

    assert names.index("moov") < names.index("mdat")


def test_shows_the_chapter_card_in_the_middle_and_black_at_the_end(clip):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", clip]
    command += ["-f", "rawvideo", "-pix_fmt", "gray", "-"]
    film = subprocess.run(command, check=True, capture_output=True).stdout
    frames = [film[start : start + 360 * 640] for start in range(0, len(film), 360 * 640)]

    assert len(frames) == duration_ms(FANTOMAS, FANTOMAS.chapters[0]) * 12 // 1000
    brightness = [sum(frame) / len(frame) for frame in frames]
    assert brightness[-1] < 20 < brightness[6]
    assert any(before != after for before, after in pairwise(frames[30:40]))


def test_renders_nothing_twice(clip, cache_dir, monkeypatch):
    before = clip.stat().st_mtime_ns
    monkeypatch.setattr(clips, "_encode", lambda *_, **__: pytest.fail("rendered again"))

    assert render_clip(FANTOMAS, FANTOMAS.chapters[0], cache_dir) == clip
    assert clip.stat().st_mtime_ns == before


def test_renders_the_same_bytes_in_another_cache(clip, tmp_path):
    again = render_clip(FANTOMAS, FANTOMAS.chapters[0], tmp_path)

    assert again.name == clip.name
    assert sha256_of(again) == sha256_of(clip)


def test_names_a_file_after_everything_it_was_made_from(tmp_path):
    made = [
        cached(tmp_path, name="x", suffix=".txt", inputs=inputs, make=lambda path: path.touch())
        for inputs in ({"title": "a"}, {"title": "b"}, {"title": "a"})
    ]

    assert made[0] == made[2] != made[1]


def test_leaves_nothing_behind_when_a_render_fails(tmp_path):
    def half_written(path):
        path.write_bytes(b"half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        cached(tmp_path, name="clips/x", suffix=".mp4", inputs={}, make=half_written)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_reports_what_the_encoder_said_when_it_refuses(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "_ROOTS", (-1.0,))

    with pytest.raises(ClipRenderError, match=r"fantomas-1913/2: .*out of range"):
        render_clip(FANTOMAS, FANTOMAS.chapters[1], tmp_path)

    assert list(tmp_path.rglob("*.mp4")) == []


def test_renders_a_whole_serial_and_counts_every_file(cache_dir):
    seen = []

    rendered = render_all([FANTOMAS], cache_dir, lambda done, total: seen.append((done, total)))

    media = rendered["fantomas-1913"]
    assert list(media.clips) == [1, 2, 3, 4, 5]
    assert all(path.exists() for path in (media.poster, *media.clips.values()))
    assert seen == [(done, 6) for done in range(1, 7)]


def test_prints_a_summary_from_the_command_line(cache_dir, monkeypatch, capsys):
    monkeypatch.setattr("demo.catalog.__main__.load", lambda: [FANTOMAS])

    main(["--cache", str(cache_dir)])

    words = capsys.readouterr().out
    assert re.search(r"Fantômas .*1913 .*5 .*MB", words)
    assert "1 serials" in words


@pytest.mark.parametrize(
    ("number", "numeral"),
    [(1, "I"), (4, "IV"), (9, "IX"), (19, "XIX"), (30, "XXX"), (48, "XLVIII")],
)
def test_numbers_chapters_as_title_cards_do(number, numeral):
    assert roman(number) == numeral
