"""Simulated people: the seed says who comes, and they are like people."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import catalog
from demo.answers import Episode
from demo.simulation import choosing, dice, population, titles
from demo.simulation.accounts import Account
from demo.simulation.population import Person
from demo.simulation.titles import Script
from demo.simulation.viewing import REPORT_MS, Viewing, view

UNTIL = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
SERIALS = catalog.load()
EVERYBODY = population.people(seed=1914, count=3000, days=14, until=UNTIL)


def _script(external_id: str, seed: int = 1914) -> Script:
    serial = next(one for one in SERIALS if one.external_id == external_id)
    episodes = [
        Episode(
            id=f"{external_id}/{chapter.number}",
            number=chapter.number,
            title="",
            duration_ms=catalog.duration_ms(serial, chapter),
        )
        for chapter in serial.chapters
    ]
    return titles.script(seed, serial, series_id=external_id, episodes=episodes)


def test_a_seed_brings_the_same_people_to_the_same_choices():
    again = population.people(seed=1914, count=3000, days=14, until=UNTIL)
    others = population.people(seed=1915, count=3000, days=14, until=UNTIL)
    scripts = [_script(serial.external_id) for serial in SERIALS]

    def choices(people: list[Person]) -> list[str]:
        accounts = [Account(person) for person in people[:200]]
        return [
            max(scripts, key=lambda script: choosing.rating(script, one, seed=1914)).external_id
            for one in accounts
        ]

    assert again == EVERYBODY != others
    assert choices(list(again)) == choices(list(EVERYBODY))


def test_more_people_do_not_change_who_the_first_were():
    fewer = {one.number: one for one in population.people(seed=7, count=50, days=9, until=UNTIL)}
    more = {one.number: one for one in population.people(seed=7, count=90, days=9, until=UNTIL)}

    assert fewer.items() <= more.items()


def test_all_of_it_lies_in_the_days_before():
    begin = datetime(2026, 2, 28, tzinfo=UTC)
    for person in EVERYBODY:
        assert begin <= person.visits[0] <= person.visits[-1] < UNTIL
        gaps = [b - a for a, b in zip(person.visits, person.visits[1:], strict=False)]
        assert all(gap > timedelta(hours=1) for gap in gaps)


def test_they_are_as_many_as_the_trade_reports():
    assert 0.05 < fmean(one.budget_micros > 0 for one in EVERYBODY) < 0.2
    by_channel = Counter(one.channel for one in EVERYBODY)
    assert set(by_channel) == set(population.CHANNELS)
    back = [
        any(visit.date() == one.visits[0].date() + timedelta(days=1) for visit in one.visits)
        for one in EVERYBODY
        if one.visits[0] < UNTIL - timedelta(days=2)
    ]
    assert 0.2 < fmean(back) < 0.45
    assert {one.platform for one in EVERYBODY if one.channel == "wechat"} == {"wechat"}


def test_titles_differ_in_worth():
    truths = [titles.truth(1914, serial.external_id) for serial in SERIALS]
    by_worth = sorted(truths, key=lambda truth: truth.worth)

    assert titles.truth(1914, "judex-1917") == titles.truth(1914, "judex-1917")
    assert titles.truth(1914, "judex-1917") != titles.truth(1915, "judex-1917")
    low, high = by_worth[:8], by_worth[-8:]
    assert fmean(one.pull for one in low) < fmean(one.pull for one in high)
    assert fmean(one.weariness for one in low) > fmean(one.weariness for one in high)


people = st.sampled_from(EVERYBODY[:300])
scripts = st.sampled_from([_script(serial.external_id) for serial in SERIALS[:6]])


@given(person=people, script=scripts, seed=st.integers(), place=st.integers(0, 4))
def test_a_viewing_is_what_a_player_could_report(person, script, seed, place):
    beats = script.beats[place]

    viewing = view(
        beats,
        person,
        hazard=lambda beat: titles.hazard(script, person, beat, number=place + 1),
        roll=Random(seed),  # noqa: S311
    )

    position = 0
    for step in viewing.steps:
        assert step.from_ms == position
        assert step.from_ms != step.to_ms
        if step.is_played:
            assert 0 < step.to_ms - step.from_ms <= REPORT_MS
        position = step.to_ms
    assert position == viewing.position_ms
    assert viewing.is_complete == (position == beats[-1].end_ms)


def test_viewers_leave_by_the_hazards_of_the_beats():
    person = next(one for one in EVERYBODY if not one.skips)
    beats = _script("judex-1917").beats[0]

    def watched(n: int) -> Viewing:
        return view(beats, person, hazard=lambda beat: 0.2, roll=dice.named("test", n))

    viewings = [watched(n) for n in range(4000)]

    at_risk = len(viewings)
    for beat in beats:
        left = sum(
            not one.is_complete and beat.start_ms <= one.position_ms < beat.end_ms
            for one in viewings
        )
        assert left / at_risk == pytest.approx(0.2, abs=0.035)
        at_risk -= left


def test_cuts_what_is_played_into_reports():
    beats = [catalog.Beat(0, 25_000, "turn", "fear", "", "")]

    viewing = view(beats, EVERYBODY[0], hazard=lambda beat: 0.0, roll=Random(1))  # noqa: S311

    assert [(step.from_ms, step.to_ms) for step in viewing.steps] == [
        (0, 10_000),
        (10_000, 20_000),
        (20_000, 25_000),
    ]
    assert viewing.played_ms == 25_000
