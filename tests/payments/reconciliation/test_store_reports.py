"""A store's report is compared with the books of its time: its sales, its refunds and its fees."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import override_settings

from payments import tasks
from payments.models import (
    Difference,
    FeeAdjustment,
    Purchase,
    Reconciliation,
    StoreProduct,
    StoreReport,
)
from payments.providers.base import StoreTransaction
from payments.reconciliation import comparison, reports
from payments.reconciliation.reports import ReportRefused
from payments.store import purchases
from tests.factories.payments import StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.payments.providers.google.play import Play, line, money, order, order_line, product
from tests.payments.providers.google.test_list_money import HEAD
from viewers.models import Device

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NOW = datetime(2026, 12, 5, 12, 0, tzinfo=UTC)


class Google:
    """Google with orders, and the report that it makes of them."""

    def __init__(self, store_product: StoreProduct, device: Device) -> None:
        self.play = Play()
        self.product, self.device = store_product, device
        self.orders: dict[str, dict[str, Any]] = {}
        self.rows: list[str] = []
        self.play.answers["orders:batchGet"] = self._batch

    def sold(self, at: datetime, *, fee: str = "-0.60") -> str:
        """An order of one pack; returns its purchase token."""
        number = len(self.orders) + 1
        name, token = f"GPA.0000-0000-0000-{number:05}", f"token-{number}"
        sku = self.product.store_product_id
        moment = at.isoformat().replace("+00:00", "Z")
        made = order(
            orderId=name,
            purchaseToken=token,
            createTime=moment,
            lineItems=[order_line(sku, total=money("3", 990_000_000, "USD"))],
            orderHistory={"processedEvent": {"eventTime": moment}},
        )
        self.orders[name] = made
        self.play.answers[f"orders/{name}"] = made
        self.play.answers[f"purchases/productsv2/tokens/{token}"] = product(
            orderId=name,
            productLineItem=[line(sku)],
            purchaseCompletionTime=moment,
            obfuscatedExternalAccountId=str(self.device.viewer_id),
            obfuscatedExternalProfileId=None,
        )
        self.rows += [self._row(name, at, "Charge", "3.63"), self._row(name, at, "Google fee", fee)]
        return token

    def booked(self, token: str, at: datetime) -> Purchase:
        (fact,) = self.play.adapter.looked_up(_known(token, at), now=at)
        assert isinstance(fact, StoreTransaction)
        purchase, _ = purchases.credit(
            viewer_id=self.device.viewer_id, provider="google", transaction=fact, now=at
        )
        return purchase

    def report(self) -> bytes:
        return (HEAD + "".join(self.rows)).encode()

    def _row(self, name: str, at: datetime, kind: str, amount: str) -> str:
        local = at - 8 * timedelta(hours=1)
        clock = local.strftime("%I:%M:%S %p").lstrip("0")
        day = local.strftime("%b %d, %Y").replace(" 0", " ")
        sku = self.product.store_product_id
        return f'{name},"{day}",{clock} PST,,{kind},,-,app,1,{sku},-,US,,,USD,{amount},1,USD,{amount}\n'

    def _batch(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params.get_list("orderIds")
        return httpx.Response(200, json={"orders": [self.orders[name] for name in asked]})


def _known(token: str, at: datetime) -> Any:
    from payments.providers.base import Known

    return Known(environment="production", transaction_id=token, purchased_at=at)


@pytest.fixture
def google(db: None, monkeypatch: pytest.MonkeyPatch) -> Google:
    made = Google(StoreProductFactory(provider="google"), DeviceFactory())
    monkeypatch.setattr(purchases, "adapters", lambda: {"google": made.play.adapter})
    return made


def brought(content: bytes, **changes: Any) -> StoreReport:
    told: dict[str, Any] = {
        "provider": "google",
        "environment": "production",
        "name": "earnings_202611.csv",
        "operator_id": None,
        "now": NOW,
    }
    report, _ = reports.keep(content, **(told | changes))
    return report


def test_compares_sales_and_settles_fees(google: Google) -> None:
    days = [NOW - n * DAY for n in (30, 20, 19, 18, 8)]
    tokens = [google.sold(at) for at in days]
    for token, at in list(zip(tokens, days, strict=True))[:4]:
        google.booked(token, at)
    report = brought(google.report())

    assert reports.read_next(now=NOW) == 1

    report.refresh_from_db()
    assert (report.state, report.reason) == ("read", "")
    done = Reconciliation.objects.get()
    assert (done.report, done.listed_count) == (report, 5)
    assert done.found_counts == {"missing_here": 1, "fee_differs": 5}
    difference = Difference.objects.get()
    assert (difference.transaction_id, difference.state) == (tokens[4], "healed")
    assert Purchase.objects.count() == 5
    # Without terms on record nothing was estimated.
    assert set(FeeAdjustment.objects.values_list("estimated_micros", "settled_micros")) == {
        (0, 600_000)
    }
    assert reports.read_next(now=NOW) == 0


def test_what_google_sold_and_its_report_lacks_is_a_difference_once_it_is_old(
    google: Google,
) -> None:
    days = [NOW - n * DAY for n in (30, 20, 8)]
    for at in days:
        google.booked(google.sold(at), at)
    google.rows = google.rows[:2] + google.rows[4:]  # the one in the middle

    brought(google.report())
    reports.read_next(now=NOW)

    (difference,) = Difference.objects.all()
    assert (difference.transaction_id, difference.cause, difference.state) == (
        "token-2",
        "missing_there",
        "open",
    )


def test_a_day_at_either_end_may_be_in_another_report(google: Google) -> None:
    for n in (30, 8):
        google.booked(google.sold(NOW - n * DAY), NOW - n * DAY)
    for n in (29.5, 8.5):
        at = NOW - n * DAY
        google.booked(google.sold(at), at)
        google.rows = google.rows[:-2]
    brought(google.report())
    reports.read_next(now=NOW)
    assert not Difference.objects.exists()


def test_a_file_that_is_no_report_is_refused_and_says_why(google: Google) -> None:
    report = brought(b"Description,Amount\n")
    assert reports.read_next(now=NOW) == 1
    report.refresh_from_db()
    assert report.state == "refused"
    assert "columns are missing" in report.reason
    assert reports.read_next(now=NOW) == 0


def test_a_store_that_does_not_answer_is_asked_again_an_hour_later(google: Google) -> None:
    google.sold(NOW - 8 * DAY)
    report = brought(google.report())
    answers, google.play.answers = google.play.answers, {}
    google.play.answers["orders:batchGet"] = lambda _: httpx.Response(503)

    assert reports.read_next(now=NOW) == 1
    report.refresh_from_db()
    assert report.state == "waiting"
    assert reports.read_next(now=NOW + timedelta(minutes=59)) == 0
    google.play.answers = answers
    assert reports.read_next(now=NOW + timedelta(hours=1)) == 1
    report.refresh_from_db()
    assert report.state == "read"


def test_the_same_file_is_the_same(google: Google) -> None:
    assert brought(b"x") == brought(b"x", name="other.csv")
    assert brought(b"x") != brought(b"y")


@pytest.mark.parametrize("changes", [{"provider": "stripe"}, {"provider": "nobody"}])
def test_reports_of_other_stores_are_not_taken(google: Google, changes: Any) -> None:
    with pytest.raises(ReportRefused):
        brought(b"x", **changes)
    with pytest.raises(ReportRefused):
        brought(b"")


def test_files_of_the_folder_are_taken_once(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "google" / "production"
    place.mkdir(parents=True)
    (place / "earnings_202611.csv").write_bytes(google.report())
    (tmp_path / "stripe" / "production").mkdir(parents=True)
    (tmp_path / "stripe" / "production" / "what.csv").write_bytes(b"-")
    with override_settings(STORE_REPORTS_FOLDER=str(tmp_path)):
        assert reports.collect(now=NOW) == 1
        assert reports.collect(now=NOW) == 0
    assert StoreReport.objects.get().name == "earnings_202611.csv"
    assert reports.collect(now=NOW) == 0


def test_the_sweep_compares_and_reads(google: Google) -> None:
    google.play.answers["purchases/voidedpurchases"] = {}
    brought(google.report() + b"")
    assert tasks.reconcile_stores() == 3
    assert {run.environment for run in Reconciliation.objects.filter(report=None)} == {
        "production",
        "sandbox",
    }
    assert {run.state for run in Reconciliation.objects.all()} == {"finished"}
    assert tasks.reconcile_stores() == 0


def test_a_comparison_that_fails_is_made_again(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.sold(NOW - 8 * DAY)
    report = brought(google.report())
    with monkeypatch.context() as patched:
        patched.setattr(comparison, "MAXIMUM_QUESTIONS", 0)
        assert reports.read_next(now=NOW) == 1
    report.refresh_from_db()
    assert (report.state, report.reason) == ("waiting", "more than 0 differences")

    assert reports.read_next(now=NOW + HOUR) == 1
    report.refresh_from_db()
    assert (report.state, report.reason) == ("read", "")
    assert Purchase.objects.count() == 1


def test_a_report_that_does_what_nobody_has_thought_of_keeps_none_waiting(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = type(google.play.adapter)
    read = adapter.reported

    def unforeseen(self: Any, body: bytes, **named: Any) -> Any:
        if body == b"odd":
            raise ZeroDivisionError("odd")
        return read(self, body, **named)

    monkeypatch.setattr(adapter, "reported", unforeseen)
    odd, good = brought(b"odd"), brought(google.report())
    states = []
    for hours in range(4):
        while reports.read_next(now=NOW + hours * HOUR):
            pass
        odd.refresh_from_db()
        states.append(odd.state)
    good.refresh_from_db()
    assert states == ["waiting", "waiting", "refused", "refused"]
    assert (good.state, odd.reason) == ("read", "ZeroDivisionError('odd')")


def test_what_went_back_of_another_month_stretches_no_report(google: Google) -> None:
    """Its own time is that of its charges: sales of other months are in other reports."""
    for n in (70, 40, 12, 8):
        google.booked(google.sold(NOW - n * DAY), NOW - n * DAY)
    old, _, _, _ = google.orders
    google.rows = google.rows[4:]
    google.rows.append(google._row(old, NOW - 10 * DAY, "Charge refund", "-3.63"))
    moment = (NOW - 60 * DAY).isoformat().replace("+00:00", "Z")
    google.orders[old]["state"] = "REFUNDED"
    google.orders[old]["orderHistory"]["refundEvent"] = {"eventTime": moment}

    brought(google.report())
    reports.read_next(now=NOW)

    assert not Difference.objects.filter(cause="missing_there").exists()
    done = Reconciliation.objects.get()
    assert (done.since, done.until) == (NOW - 12 * DAY, NOW - 8 * DAY)
