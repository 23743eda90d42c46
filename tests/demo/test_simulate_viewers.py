"""Simulated viewers: what they say they did is what the service has."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db.models import Sum
from pytest_django.fixtures import Settings

from ads.models import AdSession, Callback, Impression, ReportedDay, Reward, Verdict
from analytics.lake import flushing, reading
from analytics.models import EventBatch, QuarantinedEvent
from analytics.reports import retention, sources
from analytics.reports.local_days import Period
from analytics.reports.retention import Mode
from catalog import feed
from catalog.models import FeedDecision
from config import clock
from demo import ad_reports, catalog, simulation
from demo.simulation import ClockNotHonoured, Connect, NothingToWatch, Plan, Sent, Summary, ads
from demo.simulation.walls import Wall
from demo.transport import Refused
from payments.ledger import verification
from payments.models import Purchase, Unlock, Wallet
from tests.demo.stage import in_process, stock
from viewers.models import Viewer

UNTIL = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
PLAN = Plan(viewers=14, days=4, seed=5, until=UNTIL, threads=2)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_world(settings: Settings, tmp_path: Path) -> None:
    lake_storage = settings.STORAGES["lake"]
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media", "base_url": "/media/"},
        },
        "lake": {
            **lake_storage,
            "OPTIONS": {**lake_storage["OPTIONS"], "location": tmp_path / "lake"},
        },
    }
    settings.DATA_DIR = tmp_path
    # All of them report to one process here.
    settings.EVENTS_AT_ONCE = Plan.threads
    caches["local"].clear()


def _run(plan: Plan = PLAN) -> tuple[Summary, list[Sent]]:
    sent: list[Sent] = []
    summary = simulation.run(connect=in_process(), serials=stock(6), plan=plan, tap=sent.append)
    return summary, sent


def _accepted(sent: Sequence[Sent]) -> Iterator[tuple[str, datetime, dict[str, Any]]]:
    """Viewer, true moment and members of every event that was accepted, once each."""
    seen = set()
    for batch in sent:
        body = json.loads(batch.body)
        off = batch.at - datetime.fromisoformat(body["sent_at"])
        for event, verdict in zip(body["events"], batch.answer.verdicts, strict=True):
            if verdict.verdict == "accepted" and event["event_id"] not in seen:
                seen.add(event["event_id"])
                yield batch.viewer_id, datetime.fromisoformat(event["created_at"]) + off, event


def _flush() -> None:
    now = UNTIL + timedelta(hours=1)
    while claim := flushing.claim(now=now):
        flushing.finish(flushing.write(claim), now=now)


def test_what_they_did_is_what_the_service_has():
    summary, sent = _run()
    counts = summary.counts
    _flush()

    assert counts.arrivals == Viewer.objects.count() > 5
    assert counts.returns > 0
    # Events
    assert counts.events_sent == counts.events_accepted + counts.events_quarantined
    assert counts.events_sent == EventBatch.objects.aggregate(n=Sum("event_count"))["n"]
    assert counts.events_quarantined == QuarantinedEvent.objects.count()
    accepted = {event["event_id"]: (viewer, at) for viewer, at, event in _accepted(sent)}
    assert len(accepted) == counts.events_accepted - counts.events_repeated
    with reading.connection() as opened:
        rows = opened.execute("SELECT event_id, viewer_id, occurred_at FROM events").fetchall()
    assert {row[0]: (row[1], row[2].replace(tzinfo=UTC)) for row in rows} == accepted
    assert len(rows) == len(accepted)
    # Money
    assert list(verification.violations()) == []
    wallets = Wallet.objects.aggregate(paid=Sum("paid_coins"), bonus=Sum("bonus_coins"))
    held = (wallets["paid"] or 0) + (wallets["bonus"] or 0)
    assert held == counts.coins_bought - counts.coins_spent
    assert counts.top_ups == Purchase.objects.count()
    assert counts.coin_unlocks == Unlock.objects.count()
    assert counts.ad_unlocks == Reward.objects.count() > 0
    # The feed
    decisions = set(map(str, FeedDecision.objects.values_list("id", flat=True)))
    told = {e["decision_id"] for _, _, e in _accepted(sent) if e.get("decision_id")}
    assert told
    assert told <= decisions


def test_what_their_ads_set_going_is_what_the_service_has(monkeypatch):
    monkeypatch.setattr(ads, "LATE", 0.6)
    monkeypatch.setattr(ads, "OF_OLD_BUILDS", 0.2)
    # Nobody pays, and whoever can watches an ad.
    monkeypatch.setattr(Wall, "_readiness", lambda self, episode: 0.0)
    monkeypatch.setattr(Wall, "_drawn", lambda self, probability: 1.0)

    summary, _ = _run(replace(PLAN, viewers=30, days=7))
    counts = summary.counts

    assert counts.ads_watched == Impression.objects.count() >= AdSession.objects.count() > 10
    came = Counter(Callback.objects.values_list("verdict", flat=True))
    assert came[Verdict.ORPHAN] == counts.orphaned_callbacks > 0
    # A session whose callback stays away may be watched again, and is paid by that ad.
    late = came.total() - came[Verdict.ORPHAN] - came[Verdict.PAID]
    assert late == counts.late_callbacks >= came[Verdict.EXPIRED] > 0
    assert came[Verdict.PAID] == counts.ad_unlocks
    assert counts.ad_unlocks == Reward.objects.count() > 0
    before_the_last = Impression.objects.filter(occurred_at__lt=UNTIL.replace(hour=0, minute=0))
    new_days = ad_reports.bring(summary.ad_report, now=UNTIL)
    assert new_days == len(set(before_the_last.values_list("occurred_at__date", flat=True))) > 0
    told = before_the_last.aggregate(micros=Sum("told_micros"))["micros"]
    reported = ReportedDay.objects.aggregate(
        n=Sum("impression_count"), micros=Sum("revenue_micros")
    )
    assert reported["n"] == before_the_last.count()
    assert reported["micros"] == pytest.approx(told * ads.REPORTED, abs=reported["n"])
    assert ad_reports.bring(summary.ad_report, now=UNTIL) == 0
    assert ad_reports.bring(b"", now=UNTIL) == 0


def test_the_retention_report_agrees_with_a_count_of_what_was_sent():
    _, sent = _run()
    _flush()
    first: dict[str, datetime] = {}
    active: dict[str, set[int]] = defaultdict(set)
    events = sorted(_accepted(sent), key=lambda row: row[1])
    for viewer, at, event in events:
        if event["type"] == "app_open":
            first.setdefault(viewer, at)
    for viewer, at, event in events:
        is_active = event["type"] == "app_open" or event.get("actual_ms", 0) >= 1000
        if is_active and at >= first[viewer]:
            active[viewer].add((at.date() - first[viewer].date()).days)

    with sources.opened(now=UNTIL + timedelta(days=9)) as source:
        report = retention.matrix(source=source, by=Period.DAY, mode=Mode.CALENDAR, horizon=3)

    by_day = defaultdict(list)
    for viewer, at in first.items():
        by_day[at.date()].append(viewer)
    assert [cohort.starts_on for cohort in report.cohorts] == sorted(by_day)
    for cohort in report.cohorts:
        members = by_day[cohort.starts_on]
        assert cohort.viewers == len(members)
        assert list(cohort.active) == [
            sum(offset in active[viewer] for viewer in members) for offset in range(4)
        ]


def test_two_runs_of_a_seed_differ_only_by_what_the_service_draws(monkeypatch):
    serials = stock(6)
    source = Random()  # noqa: S311
    monkeypatch.setattr(feed, "SystemRandom", lambda: source)
    runs = []
    for _ in range(2):
        source.seed(1914)
        sent: list[Sent] = []
        summary = simulation.run(
            connect=in_process(), serials=serials, plan=replace(PLAN, threads=1), tap=sent.append
        )
        events = [
            (at, [(name, value) for name, value in event.items() if not name.endswith("_id")])
            for _, at, event in _accepted(sent)
        ]
        runs.append((summary.counts, summary.truths, events))

    assert runs[0] == runs[1]
    assert len(runs[0][2]) > 100


def test_tells_whether_a_seed_was_run_here():
    assert not simulation.was_begun(seed=PLAN.seed)

    _run(replace(PLAN, viewers=3))

    assert simulation.was_begun(seed=PLAN.seed)
    assert not simulation.was_begun(seed=PLAN.seed + 1)
    with pytest.raises(CommandError, match="have been here"):
        call_command("simulate", seed=PLAN.seed)


def test_the_command_says_what_they_did(monkeypatch, capsys):
    stock(2)
    asked = []

    def connect(url: str) -> Connect:
        asked.append(url)
        return in_process()

    monkeypatch.setattr(simulation, "over_http", connect)

    call_command("simulate", "--viewers=3", "--days=2", "--seed=9", f"--until={UNTIL.isoformat()}")

    shown = capsys.readouterr().out
    arrived = Viewer.objects.count()
    assert asked == ["http://127.0.0.1:8000"]
    assert arrived > 0
    assert f"viewers  {arrived}\n" in shown
    assert f"events  {EventBatch.objects.aggregate(n=Sum('event_count'))['n']} sent" in shown


@pytest.mark.parametrize("until", ["yesterday", "2026-13-01T00:00:00Z", ""])
def test_the_command_refuses_what_is_no_moment(until):
    with pytest.raises(CommandError, match="until"):
        call_command("simulate", f"--until={until}")


def test_stops_where_the_clock_is_not_honoured(settings: Settings):
    settings.SIMULATED_CLOCK = False

    with pytest.raises(ClockNotHonoured):
        _run()
    assert not EventBatch.objects.exists()


def test_stops_where_the_clock_is_refused(monkeypatch):
    serials = stock(1)
    monkeypatch.setattr(clock, "header_value", lambda moment: "forged")

    with pytest.raises(Refused) as refusal:
        simulation.run(connect=in_process(), serials=serials, plan=PLAN)

    assert refusal.value.code == "clock_refused"
    assert not Viewer.objects.exists()


def test_stops_where_there_is_nothing_to_watch():
    with pytest.raises(NothingToWatch):
        simulation.run(connect=in_process(), serials=catalog.load(), plan=PLAN)
