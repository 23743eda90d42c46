"""Beats: they cover the clip, end on the hook, never change, and differ between chapters."""

from itertools import pairwise

from demo.catalog import beats, duration_ms, load
from demo.catalog.beats import EMOTIONS, GRID_MS, KINDS

CHAPTERS = [(serial, chapter) for serial in load() for chapter in serial.chapters]


def test_cover_every_clip_from_start_to_end_without_a_gap():
    for serial, chapter in CHAPTERS:
        plan = beats(serial, chapter)
        assert plan[0].start_ms == 0
        assert plan[-1].end_ms == duration_ms(serial, chapter)
        assert all(before.end_ms == after.start_ms for before, after in pairwise(plan))
        assert all(beat.end_ms - beat.start_ms >= 2 * GRID_MS for beat in plan)


def test_open_on_a_hook_and_leave_the_question_to_the_last():
    for serial, chapter in CHAPTERS:
        plan = beats(serial, chapter)
        assert plan[0].kind == "hook"
        assert plan[-1].kind == "cliffhanger"
        assert plan[-1].hook == chapter.hook
        assert not any(beat.hook for beat in plan[:-1])
        assert {beat.kind for beat in plan} <= set(KINDS)
        assert {beat.emotion for beat in plan} <= set(EMOTIONS)


def test_name_each_beat_once():
    refs = [beat.prompt_ref for serial, chapter in CHAPTERS for beat in beats(serial, chapter)]

    assert len(set(refs)) == len(refs)
    assert "serial/hazards-of-helen-1914/13/1" in refs


def test_last_six_to_ten_seconds():
    durations = {duration_ms(serial, chapter) for serial, chapter in CHAPTERS}

    assert min(durations) >= 6_000
    assert max(durations) <= 10_000
    assert len(durations) > 8


def test_vary_between_chapters():
    plots = {tuple(beat.kind for beat in beats(serial, chapter)) for serial, chapter in CHAPTERS}
    moods = {beat.emotion for serial, chapter in CHAPTERS for beat in beats(serial, chapter)}

    assert len(plots) >= 5
    assert moods == set(EMOTIONS)


def test_are_the_same_on_every_machine():
    serial, chapter = next(
        pair for pair in CHAPTERS if pair[0].external_id == "hazards-of-helen-1914"
    )

    plan = [
        (beat.start_ms, beat.end_ms, beat.kind, beat.emotion) for beat in beats(serial, chapter)
    ]

    assert chapter.number == 1
    assert plan == [
        (0, 1500, "hook", "curiosity"),
        (1500, 2500, "turn", "surprise"),
        (2500, 3000, "setup", "wonder"),
        (3000, 4000, "reveal", "relief"),
        (4000, 4750, "turn", "fear"),
        (4750, 6250, "cliffhanger", "dread"),
    ]
