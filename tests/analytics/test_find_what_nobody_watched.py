"""The lake's last days are looked through for what nobody can have watched, and ads that nobody saw."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from analytics.fraud import rewards, scans, watching
from analytics.fraud.rewards import Unshown
from analytics.models import AdAlarm, FraudScan
from analytics.reports import fact_tables, facts, sources
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, played, utc
from tests.factories.operators import operator, signed_in
from tests.factories.payments import fund
from tests.factories.viewers import ViewerFactory
from viewers import flags
from viewers.flags import Evidence, Flagged, FlagRefused
from viewers.models import Flag, FlagReason

START = utc("2026-03-14 06:00")
LATER = START + 5 * HOUR
VIEWER, OTHER = str(UUID(int=1)), str(UUID(int=2))
MINUTE = timedelta(minutes=1)
TEN_SECONDS = timedelta(seconds=10)


def _binge(
    viewer: str, begin: datetime, length: timedelta, *, session: str = "", speed: int = 1
) -> list[Row]:
    """Stretches of ten seconds one after the other, as a player reports them."""
    session = session or str(uuid4())
    return [
        played(
            viewer,
            begin + (n + 1) * TEN_SECONDS,
            session=session,
            from_ms=n * 10_000 * speed,
            to_ms=(n + 1) * 10_000 * speed,
            actual_ms=10_000,
        )
        for n in range(length // TEN_SECONDS)
    ]


def _found(
    rows: Sequence[Row], *, devices: Sequence[tuple[str, str]] = (), watermark: datetime = LATER
) -> list[Evidence]:
    shared = [{"install_id": install, "viewer_id": viewer} for install, viewer in devices]
    with lake(rows, watermark=watermark, tables={"shared_devices": shared}) as source:
        return list(watching.evidence(source=source, since=watermark - scans.LOOKED_BACK))


def test_who_watches_at_four_times_the_speed_and_on_two_devices_is_not_flagged() -> None:
    rows = [*_binge(VIEWER, START, HOUR, speed=4), *_binge(VIEWER, START, HOUR)]

    assert _found(rows) == []


def test_a_playback_whose_stretches_lie_over_each_other_is_flagged() -> None:
    session = str(uuid4())
    rows = _binge(VIEWER, START, 5 * MINUTE, session=session)
    twice = [row | {"event_id": str(uuid4())} for row in rows]

    (one,) = _found([*rows, *twice])

    assert (str(one.viewer_id), str(one.playback_session_id)) == (VIEWER, session)
    assert one.reason is FlagReason.MORE_THAN_TIME
    assert one.detail == "600 s played, 600 s of story, in 300 s"
    assert (one.since, one.until) == (START, START + 5 * MINUTE)


def test_more_story_than_the_fastest_player_plays_is_flagged() -> None:
    rows = [
        played(VIEWER, START, session=str(uuid4()), to_ms=45_000, actual_ms=10_000)
        for _ in range(3)
    ]
    session = str(uuid4())
    rows += [
        played(VIEWER, START + n * SECOND, session=session, to_ms=40_000, actual_ms=1_000)
        for n in range(60)
    ]

    assert [str(one.playback_session_id) for one in _found(rows)] == [session]


def test_whose_playbacks_are_implausible_again_and_again_is_flagged_wholly() -> None:
    sessions = [_binge(VIEWER, START + n * 6 * MINUTE, 5 * MINUTE) for n in range(6)]
    rows = [row for session in sessions for row in session]

    (one,) = _found([*rows, *(row | {"event_id": str(uuid4())} for row in rows)])

    assert (one.playback_session_id, one.since) == (None, START)
    assert one.detail.startswith("In 6 playbacks")


@pytest.mark.parametrize(("streams", "count"), [(2, 0), (3, 1)])
def test_three_streams_at_once_are_nobodys(streams: int, count: int) -> None:
    rows = [row for _ in range(streams) for row in _binge(VIEWER, START, HOUR)]

    assert len(_found(rows)) == count


def test_nobody_watches_for_more_than_a_day_a_day() -> None:
    day = utc("2026-03-13 00:00")
    long = [
        played(VIEWER, day + n * timedelta(minutes=9), session=str(uuid4()), actual_ms=9 * 60_000)
        for n in range(1, 160)
    ]
    again = [row | {"event_id": str(uuid4()), "playback_session_id": str(uuid4())} for row in long]

    assert _found(long) == []
    (one,) = _found([*long, *again])
    assert one.detail.endswith("played in a day")


def test_a_crowd_of_accounts_on_one_device_at_once_is_flagged_and_a_family_is_not() -> None:
    crowd = [str(UUID(int=number)) for number in range(1, 6)]
    rows = [_binge(viewer, START, MINUTE) for viewer in crowd]
    rows += [_binge(str(UUID(int=9)), START + 2 * HOUR, MINUTE)]
    devices = [("shared", viewer) for viewer in [*crowd, str(UUID(int=9))]]

    found = _found([row for one in rows for row in one], devices=devices)
    family = _found([row for one in rows[1:] for row in one], devices=devices)

    assert [(str(one.viewer_id), one.reason) for one in found] == [
        (viewer, FlagReason.SHARED_INSTALL) for viewer in crowd
    ]
    assert family == []


def _rewarded(viewer: str, number: int, *, placement: str = "paywall") -> Row:
    at = START + number * MINUTE
    return {
        "ad_session_id": f"{viewer}-{number}",
        "viewer_id": viewer,
        "network": "admob",
        "placement": placement,
        "opened_at": at,
        "rewarded_at": at + MINUTE,
        "settled_at": at + MINUTE,
        "revenue_micros": 12_000,
    }


def _shown(viewer: str, number: int) -> list[Row]:
    told = {"ad_session_id": f"{viewer}-{number}", "placement": "paywall"}
    at = START + number * MINUTE
    return [
        event("ad_requested", viewer, at, reason="filled", **told),
        event("ad_shown", viewer, at, **told),
    ]


def test_rewards_of_ads_that_were_not_shown_ring_for_whom_and_where_they_were_had(db: None) -> None:
    sessions = [_rewarded(VIEWER, n) for n in range(20)] + [_rewarded(OTHER, n) for n in range(19)]
    told = [row for n in range(9) for row in _shown(VIEWER, n)]
    of_others = [row for n in range(19) for row in _shown(OTHER, n)]
    number = (START.date() - datetime(1970, 1, 1).date()).days  # noqa: DTZ001  a day
    origins = [{"day": number, "kind": "device", "origin": "ab", "viewer_id": VIEWER}]
    tables = {"ad_sessions": sessions, "ad_origins": origins}

    def rung(*rows: Row) -> Sequence[Unshown]:
        with lake(rows, watermark=LATER, tables=tables) as source:
            return rewards.unshown(source=source, since=LATER - scans.LOOKED_BACK)

    found, half, silent = (
        rung(*told, *of_others),
        rung(*told, *of_others, *_shown(VIEWER, 9)),
        rung(*told),
    )

    assert [(one.scope, one.subject, one.rewards, one.shown, one.requested) for one in found] == [
        ("device", "ab", 20, 9, 9),
        ("viewer", VIEWER, 20, 9, 9),
    ]
    assert half == []
    assert [(one.scope, one.subject, one.rewards, one.shown) for one in silent] == [
        ("device", "ab", 20, 9),
        ("network", "admob", 39, 9),
        ("placement", "paywall", 39, 9),
    ]
    assert [str(one.viewer_id) for one in rewards.evidence(found)] == [VIEWER]


def _look(viewer: str, now: datetime, *rows: Row, **tables: Sequence[Row]) -> FraudScan:
    with lake(
        [*_binge(viewer, START, 5 * MINUTE, session=str(UUID(int=5))) * 2, *rows],
        watermark=now,
        tables=tables,
    ) as source:
        return scans.look(source=source, now=now)


def test_a_look_flags_once_and_what_was_lifted_stays_so(db: None) -> None:
    viewer, who = ViewerFactory(), operator(role="support")
    sessions = [_rewarded(str(viewer.id), n) for n in range(20)]
    others = [_rewarded(OTHER, n) for n in range(30)]
    told = [row for n in range(30) for row in _shown(OTHER, n)]

    def look(sessions: Sequence[Row]) -> FraudScan:
        return _look(str(viewer.id), LATER, *told, ad_sessions=[*others, *sessions])

    first, again = look(sessions), look(sessions)

    assert (first.flags_count, first.alarms_count) == (2, 1)
    assert (again.flags_count, again.alarms_count) == (0, 0)
    # Of whom is left out wholly, no playback is named besides.
    assert flags.live() == Flagged(viewers=frozenset({viewer.id}))
    unshown = Flag.objects.get(reason=FlagReason.UNSHOWN_ADS)
    with pytest.raises(FlagRefused, match="Say why"):
        flags.lift(flag_id=unshown.id, operator_id=who.id, because=" ", now=LATER)
    flags.lift(flag_id=unshown.id, operator_id=who.id, because="A tester", now=LATER + DAY)
    assert flags.live() == Flagged(sessions=frozenset({UUID(int=5)}))
    assert look(sessions).flags_count == 0
    assert not Flag.objects.filter(reason=FlagReason.UNSHOWN_ADS, lifted_at=None).exists()
    # The day is not over, and what was looked at is no news: one reward more is.
    assert look(sessions[1:]).alarms_count == 0
    Flag.objects.filter(id=unshown.id).update(lifted_at=START + 21 * MINUTE)
    assert look(sessions).flags_count == 0
    more = [*sessions, _rewarded(str(viewer.id), 21)]
    AdAlarm.objects.update(seen_at=LATER, seen_by=who)
    assert look(sessions).alarms_count == 0
    assert not AdAlarm.objects.filter(seen_at=None).exists()
    assert look(more).flags_count == 1
    assert AdAlarm.objects.filter(seen_at=None, rewards=21).count() == 1
    # Whoever is not there any more is passed over.
    assert _look(str(uuid4()), LATER).flags_count == 0


@pytest.mark.django_db(transaction=True)
def test_facts_leave_the_flagged_out_and_accounting_does_not(now: datetime) -> None:
    viewer, who = ViewerFactory(), operator(role="support")
    for one in (viewer, ViewerFactory()):
        fund(one.id, now=now)
    flags.raise_by_hand(viewer_id=viewer.id, operator_id=who.id, detail="A bot", now=now)

    def count(name: str, *, of_all: bool = False) -> int:
        return sum(len(piece) for piece in facts.read(name, of_all=of_all))

    assert (count("purchases"), count("billings")) == (1, 2)
    assert count("purchases", of_all=True) == 2
    # Whoever looks for more of the kind sees who is flagged beside them.
    with sources.opened(now=now, of_all=True) as source:
        source.load("purchases")
        counted = source.connection.execute("SELECT count(*) FROM purchases").fetchall()
        assert (source.flagged, counted) == (Flagged(), [(2,)])
    for name in fact_tables.SCHEMAS:
        assert count(name) >= 0, name
    with pytest.raises(FlagRefused, match="already"):
        flags.raise_by_hand(viewer_id=viewer.id, operator_id=who.id, detail="Again", now=now)


def test_operators_flag_lift_and_look_at_alarms(db: None, now: datetime) -> None:
    viewer = ViewerFactory()
    alarm = AdAlarm.objects.create(
        day=now.date(),
        scope="placement",
        subject="paywall",
        rewards=40,
        shown=3,
        requested=4,
        found_at=now,
    )
    client: Client = signed_in(operator(role="owner"))
    page = "/admin/viewers/flag"

    home = client.get("/admin/")
    assert "40 ads of a placement paywall were rewarded" in home.content.decode()
    client.post(
        "/admin/analytics/adalarm/",
        {"action": "mark_seen", "_selected_action": [str(alarm.id)]},
    )
    assert client.get("/admin/").context["ad_alarms"] == []
    form: dict[str, Any] = {"viewer_id": str(uuid4()), "detail": "A bot"}
    assert "no such viewer" in client.post(f"{page}/add/", form).content.decode()
    assert client.post(f"{page}/add/", form | {"viewer_id": str(viewer.id)}).status_code == 302
    flag = Flag.objects.get()
    assert (flag.viewer_id, flag.reason, flag.detail) == (viewer.id, "operator", "A bot")
    assert client.get(f"{page}/{flag.id}/change/").status_code == 200
    client.post(f"{page}/{flag.id}/lift/", {"because": ""})
    assert flags.live().viewers == {viewer.id}
    client.post(f"{page}/{flag.id}/lift/", {"because": "It was our own test"})
    flag.refresh_from_db()
    assert (flag.lifted_because, flags.live()) == ("It was our own test", Flagged())
    assert signed_in(operator("eve", role="pricing")).get(f"{page}/").status_code == 403
