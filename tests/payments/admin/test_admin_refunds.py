"""What an operator's refund takes is shown before, by the function that takes it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments.desk import grants
from payments.desk.grants import CoinGift
from payments.models import (
    Entitlement,
    Entry,
    GrantReason,
    Lot,
    LotMovement,
    Purchase,
    Refund,
    RefundBooking,
    RefundOrigin,
    Transfer,
    Unlock,
    UnlockCorrection,
    UnlockReversal,
    Wallet,
)
from payments.store import operator_refunds, refunds
from payments.store.refunds import RefundFact
from payments.unlocking import unlocks
from tests.factories.operators import operator, signed_in
from tests.factories.payments import fund, play
from tests.factories.viewers import clock_headers
from tests.payments.calls import episode
from viewers.models import Device


class Pages:
    """The pages of a purchase and of what it bought, opened by an operator at a moment."""

    def __init__(self, now: datetime, role: str, name: str = "") -> None:
        self.now = now
        self.user: User = operator(name or role, role=role)
        self.client: Client = signed_in(self.user)

    def get(self, url: str) -> HttpResponse:
        return self.client.get(f"/admin/payments/{url}/", headers=clock_headers(self.now))

    def post(self, url: str, **fields: Any) -> HttpResponse:
        return self.client.post(f"/admin/payments/{url}/", fields, headers=clock_headers(self.now))

    def fill(self, purchase: Purchase, button: str, **fields: Any) -> HttpResponse:
        form = {"request_id": str(uuid4()), "reason": "Ticket 9", button: "1"}
        return self.post(f"purchase/{purchase.id}/refund", **(form | fields))

    def preview(self, purchase: Purchase, **fields: Any) -> HttpResponse:
        answer = self.fill(purchase, "preview", **fields)
        assert answer.status_code == 200
        return answer

    def refund(self, purchase: Purchase, **fields: Any) -> HttpResponse:
        """Previews, and refunds what was shown."""
        fields = {"request_id": str(uuid4())} | fields
        shown = self.preview(purchase, **fields).context["shown"]
        return self.fill(purchase, "refund", shown=shown, **fields)

    def reverse(self, refund: Refund) -> HttpResponse:
        return self.post(f"refund/{refund.id}/reverse")

    def undo(self, unlock: Unlock, reason: str = "By mistake") -> HttpResponse:
        return self.post(f"unlock/{unlock.id}/undo", reason=reason)

    def page(self, name: str, row: Any) -> HttpResponse:
        answer = self.get(f"{name}/{row.id}/change")
        assert answer.status_code == 200
        return answer


@pytest.fixture
def finance(db: None, now: datetime) -> Pages:
    return Pages(now, "finance")


class Viewer:
    """Somebody who buys and unlocks, a second apart."""

    def __init__(self, viewer_id: UUID, series: Series, quote: str, now: datetime) -> None:
        self.viewer_id, self.series, self.quote, self.now = viewer_id, series, quote, now

    def buy(self, *, paid: int, bonus: int = 0, micros: int = 5_000_000) -> Purchase:
        self.now += timedelta(seconds=1)
        return fund(self.viewer_id, now=self.now, paid=paid, bonus=bonus, price_micros=micros)

    def unlock(self, number: int, *, is_played: bool = False) -> Unlock:
        self.now += timedelta(seconds=1)
        outcome = unlocks.unlock(
            viewer_id=self.viewer_id,
            environment="production",
            episode_id=episode(self.series, number),
            quote=self.quote,
            now=self.now,
        ).outcome
        if is_played:
            play(Entitlement.objects.filter(id=outcome.entitlement_id), now=self.now)
        return Unlock.objects.get(id=outcome.unlock_id)


@pytest.fixture
def viewer(device: Device, series: Series, quote: str, now: datetime) -> Viewer:
    return Viewer(device.viewer_id, series, quote, now)


@pytest.fixture
def used(viewer: Viewer) -> Purchase:
    """500 coins, of which 60 were spent on what was watched and 60 on what was not."""
    purchase = viewer.buy(paid=480, bonus=20)
    viewer.unlock(9, is_played=True)
    viewer.unlock(10)
    return purchase


def told(pages: Pages, answer: HttpResponse) -> str:
    """The latest message on the page that an answer leads to."""
    assert answer.status_code == 302, answer.context["form"].errors
    page = pages.client.get(answer.url, headers=clock_headers(pages.now))
    *_, latest = page.context["messages"]
    return str(latest)


def standing() -> tuple[Any, ...]:
    """Equal before and after means that nothing moved."""
    tables = (
        Refund,
        RefundBooking,
        UnlockReversal,
        UnlockCorrection,
        Transfer,
        Entry,
        Lot,
        LotMovement,
        Entitlement,
        Unlock,
        Wallet,
        LogEntry,
    )
    return tuple(list(table._default_manager.order_by("pk").values()) for table in tables)


def test_a_purchases_page_tells_what_became_of_its_coins(
    finance: Pages, viewer: Viewer, used: Purchase
) -> None:
    shown = finance.page("purchase", used).context
    assert shown["consumption"] == {
        "granted": "500",
        "spent": "120",
        "expired": "0",
        "refunded": "0",
        "remaining": "380",
    }
    assert shown["consumed_percent"] == "24"
    thirds = viewer.buy(paid=180)
    assert finance.page("purchase", thirds).context["consumed_percent"] == "0"


def test_percent_consumed_is_exact(finance: Pages, viewer: Viewer) -> None:
    purchase = viewer.buy(paid=180)
    viewer.unlock(9)
    assert finance.page("purchase", purchase).context["consumed_percent"] == "33.3333"


def test_a_preview_moves_nothing(finance: Pages, used: Purchase) -> None:
    before = standing()
    taken = finance.preview(used).context["taken"]
    assert standing() == before
    assert (taken["gross"], taken["due"], taken["coins"], taken["debt"]) == (
        "5.00 USD",
        "500",
        "440",
        "60",
    )
    assert [row["coins"] for row in taken["undone"]] == ["60"]
    assert [row["coins"] for row in taken["owed"]] == ["60"]
    assert (taken["paid_after"], taken["bonus_after"], taken["debt_after"]) == ("0", "0", "60")


@pytest.mark.parametrize("amount", ["", "1.23", "0.000001", "5", "4.999999"])
def test_what_was_previewed_is_what_happens(finance: Pages, used: Purchase, amount: str) -> None:
    previewed = finance.preview(used, amount=amount).context["taken"]
    finance.refund(used, amount=amount)

    booking = RefundBooking.objects.get()
    wallet = Wallet.objects.get()
    figures = {
        "coins": booking.taken_coins,
        "debt": booking.debt_coins,
        "due": booking.due_coins,
        "paid_after": wallet.paid_coins,
        "bonus_after": wallet.bonus_coins,
        "debt_after": -wallet.debt_coins,
    }
    assert {name: previewed[name] for name in figures} == {
        name: str(figure) for name, figure in figures.items()
    }
    undone = list(UnlockReversal.objects.values_list("unlock_id", flat=True))
    for unlock_id, row in zip(undone, previewed["undone"], strict=True):
        assert str(unlock_id) in row["link"]
    assert len(previewed["lots"]) == LotMovement.objects.filter(transfer__code="refund").count()


def test_a_refund_names_who_asked_and_why(finance: Pages, used: Purchase) -> None:
    answer = finance.refund(used)
    said = (
        "Refunded 5.00 USD: 440 coins taken back, 60 owed."
        " Fake store (demo and tests) pays nothing back because of this."
    )
    assert told(finance, answer) == said

    refund = Refund.objects.get()
    assert (refund.asked_by, refund.reason) == (finance.user, "Ticket 9")
    assert (refund.origin, refund.amount_micros) == ("operator", 5_000_000)
    logged = LogEntry.objects.get()
    assert (logged.user, logged.object_id) == (finance.user, str(used.id))
    assert logged.change_message == f"{said} Ticket 9"
    shown = finance.page("purchase", used).context
    assert [(row["what"], str(row["by"]), row["debt"]) for row in shown["bookings"]] == [
        ("Taken", "finance", "60")
    ]


def test_parts_add_up_to_the_whole_and_no_further(finance: Pages, used: Purchase) -> None:
    finance.refund(used, amount="3")
    before = standing()
    refused = finance.fill(used, "preview", amount="2.000001")
    assert "At most 2.00 USD can go back." in str(refused.context["form"].errors)
    assert standing() == before

    finance.refund(used)
    assert Refund.objects.order_by("id").last().amount_micros == 2_000_000
    assert sum(RefundBooking.objects.values_list("net_micros", flat=True)) == used.net_micros
    before = standing()
    assert "Less than that is left" in str(finance.fill(used, "preview").context["form"].errors)
    assert standing() == before


def test_a_refund_of_what_is_left_takes_no_more_when_another_turns_out_reversed(
    finance: Pages, used: Purchase
) -> None:
    finance.refund(used, amount="3")
    finance.refund(used)
    finance.reverse(Refund.objects.get(amount_micros=3_000_000))
    standing_ones = RefundBooking.objects.filter(standing_for__isnull=False)
    assert [booking.gross_micros for booking in standing_ones] == [2_000_000]


def test_a_form_that_is_sent_twice_refunds_once(finance: Pages, used: Purchase) -> None:
    for amount in ("1", ""):
        fields = {"request_id": str(uuid4()), "amount": amount}
        fields["shown"] = finance.preview(used, **fields).context["shown"]
        finance.fill(used, "refund", **fields)
        before = standing()
        again = finance.fill(used, "refund", **fields)
        assert "sent before" in told(finance, again)
        assert standing() == before


def test_a_wallet_that_changed_since_the_preview_is_shown_again(
    finance: Pages, viewer: Viewer, used: Purchase
) -> None:
    fields = {"request_id": str(uuid4())}
    shown = finance.preview(used, **fields).context["shown"]
    viewer.unlock(11, is_played=True)
    before = standing()
    again = finance.fill(used, "refund", shown=shown, **fields)
    assert again.context["taken"]["debt"] == "120"
    assert standing() == before

    done = finance.fill(used, "refund", shown=again.context["shown"], **fields)
    assert "120 owed" in told(finance, done)


def test_nothing_is_refunded_that_was_not_previewed(finance: Pages, used: Purchase) -> None:
    fields = {"request_id": str(uuid4()), "amount": "1"}
    shown = finance.preview(used, **fields).context["shown"]
    before = standing()
    for changed in (
        {"amount": "2"},
        {"amount": ""},
        {"reason": "Other"},
        {"request_id": str(uuid4())},
        {"shown": ""},
        {"shown": "forged"},
    ):
        answer = finance.fill(used, "refund", **({"shown": shown} | fields | changed))
        assert answer.status_code == 200, changed
    assert standing() == before


@pytest.mark.matrix(3)
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": ""}, "required"),
        ({"reason": "x" * 501}, "at most 500"),
        ({"amount": "0"}, "greater than or equal"),
        ({"amount": "-1"}, "greater than or equal"),
        ({"amount": "0.0000001"}, "decimal places"),
        ({"amount": "5.000001"}, "At most 5.00 USD"),
        ({"amount": "1e30"}, "digits"),
        ({"amount": "NaN"}, "number"),
        ({"amount": "all"}, "number"),
        ({"request_id": "mine"}, "UUID"),
    ],
)
def test_says_what_is_wrong_and_takes_nothing(
    finance: Pages, used: Purchase, fields: dict[str, str], said: str
) -> None:
    before = standing()
    for button in ("preview", "refund"):
        answer = finance.fill(used, button, **fields)
        assert answer.status_code == 200
        assert said in str(answer.context["form"].errors), answer.context["form"].errors
    assert standing() == before


def test_a_refund_that_did_not_stand_is_reversed_once(finance: Pages, used: Purchase) -> None:
    finance.refund(used)
    refund = Refund.objects.get()
    assert b"Reverse this refund" in finance.page("refund", refund).content
    assert told(finance, finance.reverse(refund)).startswith("Reversed")
    wallet = Wallet.objects.get()
    assert (wallet.paid_coins + wallet.bonus_coins, wallet.debt_coins) == (380, 0)
    assert LogEntry.objects.filter(object_id=str(refund.id)).count() == 1

    before = standing()
    assert "does not stand" in told(finance, finance.reverse(refund))
    assert standing() == before
    page = finance.page("refund", refund).content
    assert b"Reverse this refund" not in page
    assert b"Given back" in page


def test_a_refund_by_a_clock_ahead_of_ours_is_reversed(
    finance: Pages, used: Purchase, now: datetime
) -> None:
    fact = RefundFact(
        provider=used.provider,
        environment=used.environment,
        transaction_id=used.transaction_id,
        refund_id=refunds.ALL,
        origin=RefundOrigin.STORE,
        refunded_at=now + timedelta(minutes=3),
    )
    refunds.record(fact, now=now)
    finance.reverse(Refund.objects.get())
    assert Refund.objects.get().booking is None


def test_a_refund_without_its_purchase_has_a_page(finance: Pages, now: datetime) -> None:
    fact = RefundFact(
        provider="fake",
        environment="production",
        transaction_id="early",
        refund_id=refunds.ALL,
        origin=RefundOrigin.STORE,
        refunded_at=now,
    )
    refunds.record(fact, now=now)
    refund = Refund.objects.get()
    assert b"waits for its purchase" in finance.page("refund", refund).content
    assert b"waits for its purchase" in finance.get("refund").content
    before = standing()
    assert "does not stand" in told(finance, finance.reverse(refund))
    assert standing() == before


def test_an_unlock_is_undone_with_a_reason(finance: Pages, viewer: Viewer) -> None:
    viewer.buy(paid=100)
    unlock = viewer.unlock(9, is_played=True)
    assert b"It was first played at" in finance.get(f"unlock/{unlock.id}/undo").content
    before = standing()
    assert "required" in str(finance.undo(unlock, reason=" ").context["form"].errors)
    assert standing() == before

    said = "Undone: 60 coins went back, the episode closed."
    assert told(finance, finance.undo(unlock)) == said
    reversal = UnlockReversal.objects.get()
    assert (reversal.asked_by, reversal.reason) == (finance.user, "By mistake")
    assert Wallet.objects.get().paid_coins == 100
    page = finance.page("unlock", unlock)
    assert "By mistake" in page.content.decode()
    assert not page.context["may_undo"]

    before = standing()
    assert told(finance, finance.undo(unlock)) == "This unlock was undone before."
    assert standing() == before


def test_an_unlock_whose_money_went_back_is_not_undone(
    finance: Pages, viewer: Viewer, used: Purchase
) -> None:
    owed = Unlock.objects.get(episode__number=9)
    finance.refund(used)
    assert not finance.page("unlock", owed).context["may_undo"]
    before = standing()
    assert "Money behind this unlock went back" in told(finance, finance.undo(owed))
    assert standing() == before


def test_a_wallets_page_explains_the_debt(finance: Pages, used: Purchase) -> None:
    wallet = Wallet.objects.get()
    assert finance.page("wallet", wallet).context["debts"] == []
    finance.refund(used)
    page = finance.page("wallet", wallet)
    assert [(row["owed"], row["after"]) for row in page.context["debts"]] == [("+60", "60")]
    assert f"/admin/payments/refund/{Refund.objects.get().id}/change/" in page.content.decode()
    assert b"Debt: 60 coins" in page.content


@pytest.mark.parametrize(
    ("role", "may_see", "may_act"),
    [
        ("finance", True, True),
        ("owner", True, True),
        ("support", True, False),
        ("pricing", True, False),
        ("content", False, False),
        ("analyst", False, False),
    ],
)
def test_each_role_does_what_it_may_whatever_it_sends(
    now: datetime, used: Purchase, viewer: Viewer, role: str, may_see: bool, may_act: bool
) -> None:
    other = viewer.buy(paid=10)
    operator_refunds.by_operator(other, operator_id=operator("first").id, reason="x", now=now)
    refund, unlock = Refund.objects.get(), Unlock.objects.get(episode__number=10)
    pages = Pages(now, role)
    before = standing()
    for url in ("refund", f"refund/{refund.id}/change", f"purchase/{used.id}/change"):
        assert pages.get(url).status_code == (200 if may_see else 403), url
    for url in (f"purchase/{used.id}/refund", f"unlock/{unlock.id}/undo"):
        assert pages.get(url).status_code == (200 if may_act else 403), url
    if not may_act:
        assert pages.fill(used, "preview").status_code == 403
        assert pages.fill(used, "refund", shown="x").status_code == 403
        assert pages.reverse(refund).status_code == 403
        assert pages.undo(unlock).status_code == 403
    assert standing() == before
    if may_see:
        offered = pages.page("purchase", used).context["may_refund"]
        assert offered is may_act
        assert pages.page("unlock", unlock).context["may_undo"] is may_act
    if may_act:
        assert "Reversed" in told(pages, pages.reverse(refund))
        assert "Undone" in told(pages, pages.undo(unlock))
        assert "Refunded" in told(pages, pages.refund(used))


def test_what_takes_is_posted_with_a_token_of_the_form(finance: Pages, used: Purchase) -> None:
    finance.refund(used, amount="1")
    guarded = Client(enforce_csrf_checks=True, raise_request_exception=False)
    guarded.cookies = finance.client.cookies
    unlock = Unlock.objects.get(episode__number=9)
    urls = {
        f"purchase/{used.id}/refund": 200,
        f"unlock/{unlock.id}/undo": 200,
        f"refund/{Refund.objects.get().id}/reverse": 405,
    }
    before = standing()
    for url, on_get in urls.items():
        assert guarded.post(f"/admin/payments/{url}/", {"reason": "x"}).status_code == 403, url
        assert finance.get(url).status_code == on_get
    assert standing() == before


def test_rows_that_are_not_there_are_not_found(finance: Pages) -> None:
    for url in (
        f"purchase/{uuid4()}/refund",
        f"unlock/{uuid4()}/undo",
        f"refund/{uuid4()}/reverse",
    ):
        assert finance.post(url, reason="x").status_code == 404, url


def test_a_wallets_statement_names_each_cause(
    finance: Pages, viewer: Viewer, series: Series
) -> None:
    purchase = viewer.buy(paid=180)
    viewer.unlock(9, is_played=True)
    viewer.unlock(10)
    finance.now = viewer.now
    finance.refund(purchase)
    finance.reverse(Refund.objects.get())
    grant_id = uuid4()
    grants.ask(
        grant_id=grant_id,
        viewer_id=viewer.viewer_id,
        gift=CoinGift(coins=5),
        reason=GrantReason.GOODWILL,
        note="Ticket 7",
        operator_id=finance.user.id,
        now=viewer.now,
    )
    grants.revoke(grant_id=grant_id, operator_id=finance.user.id, now=viewer.now)

    lines = finance.page("wallet", Wallet.objects.get()).context["statement"]
    name = f"Title of {series} ({series.external_id}), episode"
    bought, gift = "500 coins for 5.00 USD", "Goodwill: Ticket 7"
    assert [(line["code"], line["cause"]) for line in reversed(lines)] == [
        ("purchase", bought),
        ("unlock", f"{name} 9"),
        ("unlock", f"{name} 10"),
        ("unlock_reversal", f"{name} 10"),
        ("refund", bought),
        ("refund_reversal", bought),
        ("unlock", f"{name} 10"),
        ("grant", gift),
        ("grant_reversal", gift),
    ]
