"""What is wrong between the stores and us rings on the first page, and leads to where it can be seen."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from payments.messages import alarms
from payments.models import (
    Reconciliation,
    StoreCall,
    StoreHistory,
    StoreMessage,
    StoreReport,
)
from payments.store import purchases
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import clock_headers

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every alarm is of rows."""


def message(at: datetime, **changes: Any) -> StoreMessage:
    values: dict[str, Any] = {
        "provider": "apple",
        "environment": "production",
        "event_id": f"{at.isoformat()}-{StoreMessage.objects.count()}",
        "type": "DID_RENEW",
        "arrived_by": "pushed",
        "body": b"{}",
        "occurred_at": at,
        "received_at": at,
        "state": "applied",
    }
    return StoreMessage.objects.create(**(values | changes))


def call(**changes: Any) -> StoreCall:
    values: dict[str, Any] = {
        "provider": "google",
        "environment": "production",
        "verb": "consume",
        "subject": f"token-{StoreCall.objects.count()}",
    }
    return StoreCall.objects.create(**(values | changes))


def compared(at: datetime, **changes: Any) -> Reconciliation:
    values: dict[str, Any] = {
        "provider": "stripe",
        "environment": "production",
        "since": at - 2 * DAY,
        "until": at - DAY,
        "state": "finished",
        "started_at": at,
        "finished_at": at,
    }
    return Reconciliation.objects.create(**(values | changes))


def differ(run: Reconciliation, name: str, **changes: Any) -> None:
    run.found.create(
        provider=run.provider,
        environment=run.environment,
        transaction_id=name,
        last_found_by=run,
        occurred_at=run.since,
        found_at=run.started_at,
        changed_at=run.started_at,
        **({"cause": "missing_there", "state": "open"} | changes),
    )


def rings(now: datetime) -> list[tuple[str, str]]:
    return [(alarm.code, alarm.sentence) for alarm in alarms.ringing(now=now)]


def test_nothing_rings_where_all_is_well(now: datetime) -> None:
    message(now)
    call(state="done", created_at=now, done_at=now)
    call(state="waiting", created_at=now, next_attempt_at=now, deadline_at=now + DAY)
    StoreHistory.objects.create(
        provider="apple", environment="production", read_until=now, read_at=now
    )
    differ(compared(now), "sold-1", state="healed")
    assert rings(now) == []


def test_messages_that_could_not_be_applied(now: datetime) -> None:
    for _ in range(2):
        message(now, state="parked")
    message(now, provider="google", state="parked")
    assert rings(now) == [
        ("messages_parked", "2 messages of apple could not be applied."),
        ("messages_parked", "1 message of google could not be applied."),
    ]


def test_messages_of_types_that_nothing_reads(now: datetime) -> None:
    message(now, state="unknown", type="NEWS")
    assert rings(now) == [
        ("messages_unknown", "1 message of apple is of a type that nothing here reads.")
    ]


def test_calls_that_stores_refused(now: datetime) -> None:
    call(state="failed", created_at=now)
    assert [code for code, _ in rings(now)] == ["calls_failed"]


def test_answers_that_are_due_soon(now: datetime) -> None:
    call(state="waiting", created_at=now, next_attempt_at=now, deadline_at=now + HOUR)
    assert [code for code, _ in rings(now)] == ["calls_late"]
    assert [code for code, _ in rings(now - 2 * HOUR)] == []


def test_calls_that_are_made_in_vain(now: datetime) -> None:
    waits = {"state": "waiting", "next_attempt_at": now, "created_at": now}
    call(**waits, attempts=2)
    assert rings(now) == []
    call(**waits, attempts=3)
    assert [code for code, _ in rings(now)] == ["calls_waiting"]
    assert rings(now + 2 * HOUR)[0][1].startswith("2 times")


def test_messages_that_were_tried_in_vain(now: datetime) -> None:
    """What waits for its buyer is not: that may take as long as it takes."""
    for attempts in (2, 3, 170):
        message(
            now, state="waiting", next_attempt_at=now, attempts=attempts, code="product_unknown"
        )
    for code in ("unclaimed", "payment_pending"):
        message(now, state="waiting", next_attempt_at=now, attempts=9, code=code)
    assert rings(now) == [
        ("messages_waiting", "2 messages of apple wait to be applied: product unknown.")
    ]


class TestSilence:
    """A type of which none has come for thrice as long as usual."""

    def came(self, now: datetime, *, every: timedelta, number: int, **changes: Any) -> None:
        for nth in range(number):
            message(now - nth * every, **changes)

    def test_of_a_type_that_came_every_four_hours(self, now: datetime) -> None:
        last = now - 13 * HOUR
        self.came(last, every=4 * HOUR, number=30)
        self.came(now, every=HOUR, number=30, type="SUBSCRIBED")
        assert rings(now) == [
            (
                "messages_silent",
                f"No DID_RENEW of apple (production) has come since {last:%Y-%m-%d %H:%M} UTC.",
            )
        ]
        assert rings(now - 2 * HOUR) == []

    def test_is_of_each_type_store_and_environment_apart(self, now: datetime) -> None:
        last = now - DAY
        for changes in ({}, {"environment": "sandbox"}, {"provider": "google"}):
            self.came(last, every=HOUR, number=25, **changes)
        self.came(now, every=HOUR, number=25, provider="stripe")
        assert len(rings(now)) == 3

    def test_of_a_frequent_type_is_six_hours_at_least(self, now: datetime) -> None:
        last = now - 5 * HOUR
        self.came(last, every=timedelta(minutes=1), number=40)
        assert rings(now) == []
        assert len(rings(now + 2 * HOUR)) == 1

    def test_says_nothing_of_a_type_that_is_seldom(self, now: datetime) -> None:
        self.came(now - 10 * DAY, every=HOUR, number=alarms.ENOUGH_MESSAGES - 1)
        assert rings(now) == []

    def test_counts_what_stores_send_and_not_what_is_pulled(self, now: datetime) -> None:
        self.came(now - DAY, every=HOUR, number=25, arrived_by="pulled")
        assert rings(now) == []


class Kept:
    """A store with a history of each of its environments."""

    def __init__(self, *environments: str) -> None:
        self._environments = environments

    def histories(self) -> tuple[str, ...]:
        return self._environments


def test_histories_that_were_not_read(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchases, "adapters", lambda: {"apple": Kept("production")})
    StoreHistory.objects.create(
        provider="apple", environment="production", read_until=now, read_at=now - 7 * HOUR
    )
    assert [code for code, _ in rings(now)] == ["history_late"]
    assert rings(now - 2 * HOUR) == []


def test_histories_that_were_never_read(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = {"apple": Kept("production", "sandbox"), "fake": Kept("production")}
    monkeypatch.setattr(purchases, "adapters", lambda: stores)
    assert rings(now) == [
        ("history_late", "The history of apple (production) was never read."),
        ("history_late", "The history of apple (sandbox) was never read."),
    ]
    for environment in ("production", "sandbox"):
        StoreHistory.objects.create(
            provider="apple", environment=environment, read_until=now, tried_at=now
        )
    assert rings(now) == []
    assert [code for code, _ in rings(now + 7 * HOUR)] == ["history_late"] * 2


def test_differences_that_nobody_has_seen(now: datetime) -> None:
    run = compared(now)
    for name, state in (
        ("1", "open"),
        ("2", "open"),
        ("3", "seen"),
        ("4", "waiting"),
        ("5", "gone"),
    ):
        differ(run, name, state=state)
    differ(run, "6", cause="duplicate")
    assert rings(now) == [
        ("differences_open", "1 difference with stripe: duplicate."),
        ("differences_open", "2 differences with stripe: missing there."),
    ]


def test_a_comparison_that_failed_or_is_late(now: datetime) -> None:
    compared(now - 2 * HOUR)
    compared(now - HOUR, state="failed", reason="no answer")
    compared(now - 31 * HOUR, environment="sandbox")
    compared(now, provider="fake")
    assert rings(now) == [
        (
            "reconciliation_failed",
            "The books were not compared with stripe (production): no answer",
        ),
        (
            "reconciliation_late",
            "The books were compared with stripe (sandbox) last at 2026-03-13 05:00 UTC.",
        ),
    ]
    compared(now)
    compared(now, environment="sandbox")
    assert rings(now) == []


def test_a_report_that_cannot_be_read(now: datetime) -> None:
    StoreReport.objects.create(
        provider="google",
        environment="production",
        name="earnings.csv",
        sha256="0" * 64,
        body=b"-",
        state="refused",
        received_at=now,
    )
    assert rings(now) == [("reports_refused", "1 report of stores cannot be read.")]
    StoreReport.objects.update(state="waiting", reason="more than 5000 differences")
    assert rings(now) == [("reports_waiting", "1 report of stores could not be compared yet.")]
    StoreReport.objects.update(reason="")
    assert rings(now) == []


class TestFirstPage:
    @pytest.fixture(autouse=True)
    def _apple_is_set_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(purchases, "adapters", lambda: {"apple": Kept("production")})

    def everything(self, now: datetime) -> None:
        message(now, state="parked")
        message(now, state="unknown")
        message(now, state="waiting", next_attempt_at=now, attempts=5, code="rate_missing")
        for nth in range(25):
            message(now - DAY - nth * HOUR, type="REFUND")
        call(state="failed", created_at=now)
        call(state="waiting", created_at=now, next_attempt_at=now, deadline_at=now)
        StoreHistory.objects.create(
            provider="apple", environment="production", read_until=now, read_at=now - DAY
        )
        differ(compared(now, state="failed", reason="-"), "sold-1")
        compared(now - 3 * DAY, provider="fake")
        StoreReport.objects.create(
            provider="google", environment="production", name="-", sha256="0", body=b"",
            state="refused", received_at=now,
        )  # fmt: skip

    def test_every_alarm_leads_to_its_rows(self, now: datetime) -> None:
        self.everything(now)
        root: Client = signed_in(operator("root", is_superuser=True))
        shown = root.get("/admin/", headers=clock_headers(now)).context["alarms"]
        assert len(shown) == len({alarm.code for alarm in alarms.ringing(now=now)}) == 11
        for alarm in shown:
            answer = root.get(alarm["url"], headers=clock_headers(now))
            assert answer.status_code == 200, alarm
            assert len(answer.context["cl"].result_list) >= 1, alarm

    def test_a_role_hears_of_what_it_may_look_at(self, now: datetime) -> None:
        self.everything(now)

        def heard(role: str) -> int:
            client = signed_in(operator(role, role=role))
            return len(client.get("/admin/", headers=clock_headers(now)).context["alarms"])

        assert (heard("finance"), heard("support"), heard("content")) == (11, 7, 0)

    def test_looks_at_indexes_and_at_nobodys_bodies(
        self, now: datetime, django_assert_max_num_queries: Any
    ) -> None:
        self.everything(now)
        with django_assert_max_num_queries(12) as captured:
            alarms.ringing(now=now)
        assert not any('"body"' in query["sql"] for query in captured)
