"""Viewers answer for ads that nobody saw only where ads are told of: silence is the placement's, or the network's."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from ads.models import AdSession, Impression, Placement
from analytics.fraud import impressions, rewards, scans
from analytics.models import AdAlarm, FraudScan
from analytics.reports import facts
from analytics.reports.sources import Source
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, utc
from tests.factories.ads import PlacementFactory, ad_session, tell, told, watch
from tests.factories.operators import operator
from tests.factories.viewers import ViewerFactory
from tests.proof import Proof
from viewers import flags
from viewers.models import Flag, FlagReason, Viewer

LEAST, PERCENT = 20, 50
START = utc("2026-03-14 06:00")


@pytest.fixture
def placement(db: None) -> Placement:
    """Where a viewer may watch ads for coins all day."""
    made: Placement = _placement()
    return made


def _placement(**of: Any) -> Placement:
    made: Placement = PlacementFactory(reward="coins", reward_amount=1, daily_cap=100, **of)
    return made


def _rewarded(
    placement: Placement, viewer: Viewer, *, count: int = LEAST, at: datetime
) -> list[AdSession]:
    """Ads that their network has confirmed, one after the other."""
    found = []
    for number in range(count):
        moment = at + number * SECOND
        session = ad_session(placement, viewer_id=viewer.id, episode_id=None, now=moment)
        assert watch(session, now=moment).verdict == "paid"
        found.append(session)
    return found


def _app(session: AdSession, at: datetime) -> None:
    tell(told(session, at=at, revenue_micros=1_000), viewer_id=session.viewer_id, now=at)


def _server(session: AdSession, at: datetime) -> None:
    """As the network's server tells of it, beside what the app tells of no session."""
    tell(told(at=at), viewer_id=session.viewer_id, now=at)
    row = Impression.objects.filter(viewer_id=session.viewer_id, source="client").latest("id")
    row.pk, row.source, row.impression_id = uuid4(), "postback", uuid4().hex
    row.session = session
    row.save(force_insert=True)


def _shown(session: AdSession, at: datetime) -> Row:
    return event(
        "ad_shown", str(session.viewer_id), at, ad_session_id=str(session.id), placement="paywall"
    )


@contextmanager
def _read(events: Sequence[Row], *, at: datetime) -> Iterator[Source]:
    """Events, beside the rows of the database."""
    with lake(events, watermark=at) as source:
        yield replace(source, read_facts=partial(facts.read, of_all=True))


def _look(*events: Row, at: datetime) -> FraudScan:
    with _read(events, at=at) as source:
        return scans.look(source=source, now=at)


def _flagged() -> set[UUID]:
    found = Flag.objects.filter(reason=FlagReason.UNSHOWN_ADS, lifted_at=None)
    return set(found.values_list("viewer_id", flat=True))


def _alarms() -> set[tuple[str, int, int]]:
    return set(AdAlarm.objects.values_list("scope", "rewards", "shown"))


@pytest.mark.parametrize("tells", [_app, _server])
def test_an_impression_says_that_an_ad_was_shown_as_well_as_the_apps_event_does(
    placement: Placement, now: datetime, tells: Callable[[AdSession, datetime], None]
) -> None:
    viewer: Viewer = ViewerFactory()
    for session in _rewarded(placement, viewer, at=now):
        tells(session, now)

    found = _look(at=now + HOUR)

    assert (found.flags_count, found.alarms_count) == (0, 0)


def test_an_ad_that_is_told_of_by_both_is_shown_once(placement: Placement, now: datetime) -> None:
    viewer: Viewer = ViewerFactory()
    sessions = _rewarded(placement, viewer, at=now)
    for session in sessions[:9]:
        _app(session, now)
        _app(session, now)

    _look(*(_shown(session, now) for session in sessions[:9]), at=now + HOUR)

    assert _alarms() == {("placement", 20, 9), ("network", 20, 9)}


def test_where_nothing_is_told_the_placement_rings_and_no_viewer_is_flagged(
    placement: Placement, now: datetime
) -> None:
    """Not today, and not tomorrow, when there are rewards again."""
    viewers: list[Viewer] = ViewerFactory.create_batch(3)
    for day in (now, now + DAY):
        for viewer in viewers:
            _rewarded(placement, viewer, at=day)
        _look(at=day + HOUR)

    assert _flagged() == set()
    assert _alarms() == {("placement", 60, 0), ("network", 60, 0)}
    assert AdAlarm.objects.count() == 2 * 2


def test_who_alone_is_told_nothing_of_is_flagged(placement: Placement, now: datetime) -> None:
    honest, other = ViewerFactory.create_batch(2)
    for session in _rewarded(placement, honest, at=now):
        _app(session, now)
    _rewarded(placement, other, at=now)

    found = _look(at=now + HOUR)

    assert (found.flags_count, _flagged()) == (1, {other.id})
    assert _alarms() == {("viewer", 20, 0)}
    assert Flag.objects.get().detail == (
        "20 ads rewarded on 2026-03-14, 0 of them shown and 0 asked for"
    )


def test_a_viewer_is_judged_where_ads_are_told_of_and_not_where_they_are_not(
    placement: Placement, now: datetime
) -> None:
    """Of as many rewards one has had some where nobody is told of."""
    silent = _placement()
    honest, other, third = ViewerFactory.create_batch(3)
    for session in _rewarded(placement, honest, count=60, at=now):
        _app(session, now)
    _rewarded(placement, other, at=now)
    _rewarded(placement, third, count=LEAST - 1, at=now)
    _rewarded(silent, third, count=LEAST - 1, at=now)

    _look(at=now + HOUR)

    assert _flagged() == {other.id}


def test_a_network_that_tells_of_too_few_is_no_evidence_at_any_placement(
    placement: Placement, now: datetime
) -> None:
    """Though this placement tells of just enough."""
    silent = _placement()
    honest, other = ViewerFactory.create_batch(2)
    for session in _rewarded(placement, honest, at=now):
        _app(session, now)
    _rewarded(placement, other, at=now)
    _rewarded(silent, honest, count=1, at=now)

    _look(at=now + HOUR)

    assert _flagged() == set()
    assert _alarms() == {("network", 41, 20)}


def test_silence_that_is_over_raises_no_flag_of_days_before(
    placement: Placement, now: datetime
) -> None:
    honest, other = ViewerFactory.create_batch(2)
    _rewarded(placement, other, at=now)
    for session in _rewarded(placement, honest, at=now + DAY):
        _app(session, now + DAY)

    _look(at=now + DAY + HOUR)

    assert _flagged() == set()


def test_a_lifted_flag_is_not_raised_again_by_a_placement_that_has_fallen_silent(
    placement: Placement, now: datetime
) -> None:
    honest, other = ViewerFactory.create_batch(2)
    for session in _rewarded(placement, honest, at=now):
        _app(session, now)
    _rewarded(placement, other, at=now)
    _look(at=now + HOUR)
    who = operator(role="support")
    flags.lift(
        flag_id=Flag.objects.get().id, operator_id=who.id, because="A tester", now=now + HOUR
    )
    for viewer in (honest, other):
        _rewarded(placement, viewer, at=now + DAY)

    assert _look(at=now + DAY + HOUR).flags_count == 0
    assert _flagged() == set()


def test_what_is_of_no_session_or_came_after_the_lake_says_nothing(
    placement: Placement, now: datetime
) -> None:
    viewer: Viewer = ViewerFactory()
    sessions = _rewarded(placement, viewer, at=now)
    for session in sessions:
        # Of another ad unit than the session's: kept, and of no session.
        impression = told(session, at=now, ad_unit_id="fake-app/another")
        assert tell(impression, viewer_id=viewer.id, now=now) == ["unattributed"]
        _app(session, now + HOUR)

    def unshown(at: datetime) -> list[tuple[str, int, int]]:
        with _read([], at=at) as source:
            found = rewards.unshown(source=source, since=now)
        return [(str(one.scope), one.rewards, one.shown) for one in found]

    assert unshown(now + HOUR) == [("network", 20, 0), ("placement", 20, 0)]
    assert unshown(now + HOUR + SECOND) == []


def test_sessions_are_read_in_pieces_each_once(
    placement: Placement, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impressions, "CHUNK_ROWS", 2)
    sessions = _rewarded(placement, ViewerFactory(), count=5, at=now)
    for session in [*sessions, *sessions]:
        _app(session, now)

    pieces = list(impressions.read(since=now, until=now + SECOND))

    assert max(len(piece) for piece in pieces) == 2
    found = [one for piece in pieces for one in piece["ad_session_id"].to_pylist()]
    assert sorted(found) == sorted(str(session.id) for session in sessions)
    assert all(len(piece) == 0 for piece in impressions.read(since=now + SECOND, until=now + DAY))


Told = tuple[int, int, int, int, bool, bool, bool]


def _expected(told_of: Sequence[Told], *, days: int) -> set[tuple[int, str, str, int, int, int]]:
    """The rule in plain words: (day, scope, subject, rewards, shown, requested)."""
    rewarded = [one for one in told_of if one[0] < days]
    counts: dict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)

    def add(key: tuple[int, str, str], one: Told) -> None:
        *_, impressed, shown, requested = one
        counts[key].update(rewards=1, shown=impressed or shown, requested=requested)

    def is_few(key: tuple[int, str, str]) -> bool:
        return counts[key]["shown"] / counts[key]["rewards"] < PERCENT / 100

    for one in rewarded:
        day, viewer, placement, network, *_ = one
        add((day, "placement", f"p{placement}"), one)
        add((day, "network", f"n{network}"), one)
        if viewer == 0:
            add((day, "device", "ab"), one)
    for one in rewarded:
        day, viewer, placement, network, *_ = one
        where = (day, "placement", f"p{placement}"), (day, "network", f"n{network}")
        if not any(is_few(key) for key in where):
            add((day, "viewer", str(UUID(int=viewer))), one)
    return {
        (*key, count["rewards"], count["shown"], count["requested"])
        for key, count in counts.items()
        if count["rewards"] >= 3 and is_few(key)
    }


def _table_of(told_of: Sequence[Told]) -> tuple[list[Row], list[Row], list[str]]:
    """The sessions, the events, and the sessions that have an impression."""
    sessions, events, impressed = [], [], []
    for number, (day, viewer, where, network, impression, shown, requested) in enumerate(told_of):
        at = START + day * DAY + number * SECOND
        name, who = f"{viewer}-{number}", str(UUID(int=viewer))
        of = {"ad_session_id": name, "viewer_id": who, "network": f"n{network}"}
        moments = dict.fromkeys(("opened_at", "rewarded_at", "settled_at"), at)
        sessions.append(of | moments | {"placement": f"p{where}"})
        kinds = ["ad_shown"] * shown + ["ad_requested"] * requested
        events += [event(kind, who, at, ad_session_id=name) for kind in kinds]
        impressed += [name] * impression
    return sessions, events, impressed


def test_any_rewards_ring_and_flag_as_the_rule_worked_out_by_hand_says(
    settings: Settings, proof: Proof
) -> None:
    settings.FRAUD_LEAST_REWARDS, settings.FRAUD_LEAST_SHOWN_PERCENT = 3, PERCENT
    first = (START.date() - date(1970, 1, 1)).days
    origins = [
        {"day": first + day, "kind": "device", "origin": "ab", "viewer_id": str(UUID(int=0))}
        for day in range(3)
    ]
    few = st.integers(0, 2)
    one_of_each = st.tuples(few, few, few, few, st.booleans(), st.booleans(), st.booleans())

    @limits(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(told_of=st.lists(one_of_each, max_size=40), days=st.integers(1, 3))
    def explore(told_of: list[Told], days: int) -> None:
        sessions, events, impressed = _table_of(told_of)
        tables = {"ad_sessions": sessions, "ad_origins": origins}
        pieces = [pa.table({"ad_session_id": impressed * 2}, schema=impressions.SCHEMA)]
        with lake(events, watermark=START + (days - 1) * DAY + HOUR, tables=tables) as source:
            found = rewards.unshown(source=source, since=START, read_impressions=lambda **_: pieces)

        day = START.date()
        rung = {
            ((of.day - day).days, str(of.scope), of.subject, of.rewards, of.shown, of.requested)
            for of in found
        }
        assert rung == _expected(told_of, days=days)
        assert {str(one.viewer_id) for one in rewards.evidence(found)} == {
            subject for _, scope, subject, *_ in rung if scope == "viewer"
        }

    explore()
    proof.record(
        "A1", "rewards of ads never shown equal their definition in plain Python", violations=0
    )
