"""Operators see what was compared and what differs, say that they have looked, and bring stores' reports."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payments.models import Difference, Reconciliation, StoreMessage, StoreReport
from payments.providers.fake.books import Entry
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import clock_headers
from tests.payments.admin.store_rows import received
from tests.payments.reconciliation.books import Shop, remembering, run

DAY = timedelta(days=1)
DIFFERENCES = "/admin/payments/difference/"
RUNS = "/admin/payments/reconciliation/"
FEES = "/admin/payments/feeadjustment/"
REPORTS = "/admin/payments/storereport/"
LIST_QUERIES = 11


@pytest.fixture
def finance(db: None) -> Client:
    return signed_in(operator("fin", role="finance"))


@pytest.fixture
def shop(db: None, tmp_path: Any) -> Any:
    with remembering(tmp_path) as made:
        yield made


@pytest.fixture
def done(shop: Shop, now: datetime) -> Reconciliation:
    """A run that found a sale on either side, a fee, and nothing wrong with a third."""
    shop.both(now - 2 * DAY, fee_micros=1_000_000)
    shop.booked(shop.sale(now - 2 * DAY), at=now - 2 * DAY)
    shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY)))
    return run(now)


def rows(answer: Any) -> set[Any]:
    assert answer.status_code == 200
    return {row.pk for row in answer.context["cl"].result_list}


def test_a_run_says_what_it_found_and_leads_there(finance: Client, done: Reconciliation) -> None:
    assert rows(finance.get(RUNS)) == {done.pk}
    answer = finance.get(f"{RUNS}{done.pk}/change/")
    found = {row["cause"]: (row["count"], row["url"]) for row in answer.context["causes"]}
    assert {cause: count for cause, (count, _) in found.items()} == {
        "The store sold it, we have not booked it": "1",
        "We have booked it, the store does not have it": "1",
        "The store kept another fee than was estimated": "1",
    }
    for _, url in found.values():
        assert len(rows(finance.get(url))) == 1, url


def test_a_difference_leads_to_what_is_here(finance: Client, done: Reconciliation) -> None:
    difference = Difference.objects.get(cause="missing_there")
    content = finance.get(f"{DIFFERENCES}{difference.pk}/change/").content.decode()
    for shown in ("4.99 USD", "The store itself knows nothing of it.", "/admin/payments/purchase/"):
        assert shown in content
    assert rows(finance.get(DIFFERENCES, {"q": "sold-2"})) == {difference.pk}
    assert rows(finance.get(DIFFERENCES, {"q": str(difference.pk)})) == {difference.pk}
    assert rows(finance.get(DIFFERENCES, {"q": "sold"})) == set()
    assert rows(finance.get(DIFFERENCES, {"state__exact": "open"})) == {difference.pk}


def test_a_difference_shows_messages_of_its_own_store_alone(
    finance: Client, done: Reconciliation, now: datetime
) -> None:
    difference = Difference.objects.get(cause="missing_there")
    own, *others = (received(now) for _ in "abc")
    StoreMessage.objects.update(subject=difference.transaction_id)
    for other, changes in zip(
        others, ({"provider": "stripe"}, {"environment": "sandbox"}), strict=True
    ):
        StoreMessage.objects.filter(pk=other.pk).update(**changes)
    content = finance.get(f"{DIFFERENCES}{difference.pk}/change/").content.decode()
    assert str(own.pk) in content
    assert not any(str(one.pk) in content for one in others)


def test_a_purchase_says_what_its_fee_came_to(finance: Client, done: Reconciliation) -> None:
    purchase = done.fee_adjustments.get().purchase
    assert purchase is not None
    content = finance.get(f"/admin/payments/purchase/{purchase.pk}/change/").content.decode()
    assert f"{FEES}?q={purchase.pk}" in content
    assert "1.00 USD" in content
    assert len(rows(finance.get(FEES, {"q": str(purchase.pk)}))) == 1


def test_looking_takes_a_note_and_is_logged(
    finance: Client, done: Reconciliation, now: datetime
) -> None:
    difference = Difference.objects.get(cause="missing_there")
    healed = Difference.objects.get(cause="missing_here")
    told = {"action": "see", "_selected_action": [difference.pk, healed.pk]}

    asked = finance.post(DIFFERENCES, told)
    assert "What came of looking" in asked.content.decode()
    without = finance.post(DIFFERENCES, told | {"confirm": "1", "note": ""})
    assert without.status_code == 200
    difference.refresh_from_db()
    assert difference.state == "open"
    finance.post(
        DIFFERENCES,
        told | {"confirm": "1", "note": "Stripe will look."},
        headers=clock_headers(now),
    )

    difference.refresh_from_db()
    healed.refresh_from_db()
    assert (difference.state, difference.note, str(difference.seen_by)) == (
        "seen",
        "Stripe will look.",
        "fin",
    )
    assert healed.state == "healed"
    logged = LogEntry.objects.filter(object_id=str(difference.pk)).get()
    assert "Stripe will look." in logged.get_change_message()


def test_a_look_takes_a_role(done: Reconciliation) -> None:
    support = signed_in(operator("anna", role="support"))
    for url in (DIFFERENCES, RUNS, FEES, REPORTS):
        assert support.get(url).status_code == 403


def test_lists_count_nothing_and_ask_little(
    finance: Client, shop: Shop, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for _ in range(15):
        shop.both(now - 2 * DAY, fee_micros=1_000_000)
        shop.booked(shop.sale(now - 2 * DAY), at=now - 2 * DAY)
    run(now)
    for url in (DIFFERENCES, RUNS, FEES, REPORTS):
        with django_assert_max_num_queries(LIST_QUERIES) as captured:
            finance.get(url)
        assert not any("COUNT(*)" in q["sql"] and "payments_" in q["sql"] for q in captured)


def test_nobody_edits_what_was_found(done: Reconciliation, now: datetime) -> None:
    root = signed_in(operator("root", is_superuser=True))
    difference = Difference.objects.first()
    assert difference is not None
    fee = done.fee_adjustments.get()
    for url in (f"{DIFFERENCES}{difference.pk}", f"{RUNS}{done.pk}", f"{FEES}{fee.pk}"):
        assert root.get(f"{url}/change/").status_code == 200
        for what in ("change", "delete"):
            assert root.post(f"{url}/{what}/", {"post": "yes"}).status_code == 403


class TestReports:
    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Google's reports are read, and no other's."""
        from payments.store import purchases
        from tests.payments.providers.google.play import Play

        monkeypatch.setattr(purchases, "adapters", lambda: {"google": Play().adapter})

    def bring(self, client: Client, content: bytes, **changes: str) -> Any:
        file = SimpleUploadedFile("earnings_202603.csv", content)
        told = {"provider": "google", "environment": "production"} | changes
        return client.post(f"{REPORTS}add/", told | {"file": file})

    def test_is_brought_once(self, finance: Client, read: None, now: datetime) -> None:
        for _ in "ab":
            assert self.bring(finance, b"Description,...").status_code == 302
        report = StoreReport.objects.get()
        assert (report.name, report.state, str(report.brought_by)) == (
            "earnings_202603.csv",
            "waiting",
            "fin",
        )
        assert finance.get(f"{REPORTS}{report.pk}/change/").status_code == 200
        assert rows(finance.get(REPORTS, {"state__exact": "waiting"})) == {report.pk}
        assert LogEntry.objects.filter(object_id=str(report.pk)).count() == 1

    def test_is_of_a_store_whose_reports_are_read(self, finance: Client, read: None) -> None:
        answer = self.bring(finance, b"-", provider="stripe")
        assert "Select a valid choice" in answer.content.decode()
        assert self.bring(finance, b"").status_code == 200
        assert not StoreReport.objects.exists()

    def test_takes_a_role(self, db: None, read: None) -> None:
        assert self.bring(signed_in(operator("anna", role="support")), b"-").status_code == 403
