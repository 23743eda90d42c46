"""Operators ask, see what a gift counts as before it is sent, and a second one decides."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from catalog.models import Series
from payments.models import Entitlement, Grant, GrantState, Lot, Transfer, Wallet
from tests.factories.operators import operator, signed_in
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory, clock_headers
from tests.payments.calls import episode
from viewers.models import Device, Viewer

ADD = "/admin/payments/grant/add/"


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.GRANT_SOLO_COINS = 500
    settings.GRANT_MAXIMUM_COINS = 20_000
    settings.GRANT_DAILY_COINS = 5_000
    settings.GRANT_PASS_DAY_COINS = 200


class Pages:
    """The pages of grants, opened by an operator at a moment."""

    def __init__(self, viewer_id: UUID, now: datetime, role: str, name: str = "") -> None:
        self.viewer_id, self.now = viewer_id, now
        self.user: User = operator(name or role, role=role)
        self.client: Client = signed_in(self.user)

    def get(self, url: str, **query: str) -> HttpResponse:
        return self.client.get(url, query, headers=clock_headers(self.now))

    def post(self, url: str, **fields: Any) -> HttpResponse:
        return self.client.post(url, fields, headers=clock_headers(self.now))

    def fill(self, button: str, *, kind: str = "coins", **fields: Any) -> HttpResponse:
        form = {
            "grant_id": str(uuid4()),
            "viewer": str(self.viewer_id),
            "reason": "goodwill",
            "note": "Ticket 7",
            button: "1",
        }
        return self.post(f"{ADD}?kind={kind}", **(form | fields))

    def look(self, **fields: Any) -> HttpResponse:
        answer = self.fill("look", **fields)
        assert answer.status_code == 200
        return answer

    def send(self, **fields: Any) -> HttpResponse:
        """Looks, and sends what was shown."""
        looked = self.look(**fields)
        assert "shown" in looked.context, looked.context["form"].errors
        asked = looked.context["asked"]
        return self.fill(
            "send", shown=looked.context["shown"], **({"grant_id": asked.grant_id} | fields)
        )

    def decide(self, grant: Grant, decision: str, **fields: str) -> HttpResponse:
        return self.post(f"/admin/payments/grant/{grant.id}/decide/", **{decision: "1"}, **fields)

    def take_back(self, grant: Grant) -> HttpResponse:
        return self.post(f"/admin/payments/grant/{grant.id}/take-back/")

    def page(self, grant: Grant) -> HttpResponse:
        answer = self.get(f"/admin/payments/grant/{grant.id}/change/")
        assert answer.status_code == 200
        return answer


@pytest.fixture
def support(device: Device, now: datetime) -> Pages:
    return Pages(device.viewer_id, now, "support")


@pytest.fixture
def finance(device: Device, now: datetime) -> Pages:
    return Pages(device.viewer_id, now, "finance")


def told(pages: Pages, answer: HttpResponse) -> str:
    """The latest message on the page that an answer leads to."""
    assert answer.status_code == 302, answer.context["form"].errors
    *_, latest = pages.get(answer.url).context["messages"]
    return str(latest)


def standing() -> tuple[Any, ...]:
    """Equal before and after means that nothing moved, and nothing was decided."""
    tables = (Grant, Transfer, Lot, Entitlement, Wallet, LogEntry)
    return tuple(list(table._default_manager.order_by("pk").values()) for table in tables)


def test_shows_what_it_counts_as_before_anything_is_sent(support: Pages) -> None:
    before = standing()
    looked = support.look(coins=500).context
    assert (looked["what"], looked["worth"], looked["left_today"]) == ("500 coins", "500", "5,000")
    assert not looked["asked"].terms.needs_second
    assert support.look(coins=501).context["asked"].terms.needs_second
    assert standing() == before


def test_gives_what_was_shown_and_logs_who(support: Pages) -> None:
    answer = support.send(coins=500)
    assert told(support, answer) == "Given: 500 coins."

    grant = Grant.objects.get()
    assert answer.url == f"/admin/payments/grant/{grant.id}/change/"
    assert (grant.state, grant.coins, grant.asked_by) == (GrantState.GIVEN, 500, support.user)
    assert Wallet.objects.get().bonus_coins == 500
    logged = LogEntry.objects.get()
    assert (logged.user, logged.object_id) == (support.user, str(grant.id))
    assert logged.change_message == "Given: 500 coins."


def test_a_form_that_is_sent_twice_gives_once(support: Pages) -> None:
    looked = support.look(coins=500)
    fields = {
        "coins": 500,
        "grant_id": looked.context["asked"].grant_id,
        "shown": looked.context["shown"],
    }
    support.fill("send", **fields)
    before = standing()
    again = support.fill("send", **fields)
    assert "sent before" in told(support, again)
    assert standing() == before


def test_what_was_not_shown_is_not_sent(support: Pages) -> None:
    looked = support.look(coins=5)
    token, grant_id = looked.context["shown"], looked.context["asked"].grant_id
    before = standing()
    for changed in (
        {"coins": 6},
        {"coins": 5, "note": "Other"},
        {"coins": 5, "reason": "test"},
        {"coins": 5, "viewer": str(DeviceFactory().viewer_id)},
        {"coins": 5, "grant_id": uuid4()},
        {"coins": 5, "shown": "forged"},
        {"coins": 5, "shown": ""},
    ):
        answer = support.fill("send", **({"grant_id": grant_id, "shown": token} | changed))
        assert answer.status_code == 200, changed
    assert standing() == before


def test_a_price_that_changed_since_the_look_is_shown_again(
    support: Pages, series: Series, settings: Settings
) -> None:
    looked = support.look(kind="pass", days=1)
    settings.GRANT_PASS_DAY_COINS = 300
    before = standing()
    again = support.fill(
        "send",
        kind="pass",
        days=1,
        grant_id=looked.context["asked"].grant_id,
        shown=looked.context["shown"],
    )
    assert again.context["worth"] == "300"
    assert standing() == before


def test_a_large_gift_waits_and_is_told_to(support: Pages) -> None:
    answer = support.send(coins=1_000)
    assert told(support, answer) == ("Nothing is given yet: 1,000 coins waits for a second person.")
    assert (Grant.objects.get().state, Transfer.objects.count()) == (GrantState.WAITING, 0)


def test_gives_an_episode_by_series_and_number(support: Pages, series: Series) -> None:
    answer = support.send(kind="episode", series=str(series.id), number=9)
    assert f"Title of {series} ({series.external_id}), episode 9" in told(support, answer)
    assert Entitlement.objects.get().episode_id == episode(series, 9)
    assert Grant.objects.get().worth_coins == 60


def test_gives_a_pass(support: Pages) -> None:
    answer = support.send(kind="pass", days=2)
    assert told(support, answer) == "Given: a pass for 2 days."
    assert (
        "2026-03-14 12:00 to 2026-03-16 12:00" in support.page(Grant.objects.get()).content.decode()
    )


def test_coins_may_lapse_at_a_moment(support: Pages, now: datetime) -> None:
    support.send(coins=5, expire_at_0="2026-03-20", expire_at_1="00:00:00")
    assert Lot.objects.get().expires_at == datetime.fromisoformat("2026-03-20T00:00Z")


@pytest.mark.matrix(3)
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"coins": "0"}, "greater than or equal to 1"),
        ({"coins": "-5"}, "greater than or equal to 1"),
        ({"coins": "1.5"}, "whole number"),
        ({"coins": "1e3"}, "whole number"),
        ({"coins": "NaN"}, "whole number"),
        ({"coins": "9" * 400}, "less than or equal"),
        ({"coins": "20001"}, "20,000 coins"),
        ({"coins": "5", "note": "  "}, "required"),
        ({"coins": "5", "note": "x" * 501}, "at most 500"),
        ({"coins": "5", "reason": "theft"}, "valid choice"),
        ({"coins": "5", "viewer": "somebody"}, "whole id"),
        ({"coins": "5", "viewer": str(uuid4())}, "no viewer"),
        ({"coins": "5", "grant_id": "mine"}, "UUID"),
        ({"coins": "5", "expire_at_0": "2026-03-14", "expire_at_1": "12:00:00"}, "lapsed"),
        ({"kind": "episode", "number": "9"}, "required"),
        ({"kind": "pass", "days": "0"}, "greater than or equal to 1"),
        ({"kind": "pass", "days": "101"}, "20,000 coins"),
    ],
)
def test_says_what_is_wrong_and_gives_nothing(
    support: Pages, fields: dict[str, str], said: str
) -> None:
    before = standing()
    for button in ("look", "send"):
        answer = support.fill(button, **fields)
        assert answer.status_code == 200
        assert said in str(answer.context["form"].errors), answer.context["form"].errors
    assert standing() == before


def test_says_why_an_episode_cannot_be_given(support: Pages, series: Series) -> None:
    for number, said in ((8, "free for everybody"), (99, "No episode of this number")):
        answer = support.fill("look", kind="episode", series=str(series.id), number=number)
        assert said in str(answer.context["form"].errors)


def test_says_how_much_is_left_of_the_day(support: Pages) -> None:
    for _ in range(9):
        support.send(coins=500)
    support.send(coins=400)
    before = standing()
    looked = support.look(coins=101)
    answer = support.fill(
        "send",
        coins=101,
        grant_id=looked.context["asked"].grant_id,
        shown=looked.context["shown"],
    )
    assert "100 coins are left of 5,000" in str(answer.context["form"].errors)
    assert standing() == before


def test_says_that_an_episode_is_open_already(support: Pages, series: Series) -> None:
    gift = {"kind": "episode", "series": str(series.id), "number": 9}
    support.send(**gift)
    before = standing()
    answer = support.send(**gift)
    assert "may watch this episode already" in str(answer.context["form"].errors)
    assert standing() == before


def test_is_filled_in_from_the_wallets_page(support: Pages, device: Device, now: datetime) -> None:
    fund(device.viewer_id, now=now)
    wallet = Wallet.objects.get()
    page = support.get(f"/admin/payments/wallet/{wallet.id}/change/").content.decode()
    assert f"{ADD}?viewer={device.viewer_id}" in page
    form = support.get(ADD, viewer=str(device.viewer_id)).context["form"]
    assert form.initial["viewer"] == str(device.viewer_id)


def test_is_not_offered_for_a_wallet_that_gifts_would_not_reach(
    support: Pages, device: Device, now: datetime
) -> None:
    fund(device.viewer_id, now=now, environment="sandbox")
    page = support.get(f"/admin/payments/wallet/{Wallet.objects.get().id}/change/")
    assert ADD not in page.content.decode()


def test_a_second_person_approves(support: Pages, finance: Pages) -> None:
    support.send(coins=1_000)
    grant = Grant.objects.get()
    shown = finance.page(grant).context
    assert (shown["may_approve"], shown["may_refuse"], shown["may_take_back"]) == (
        True,
        True,
        False,
    )
    answer = finance.decide(grant, "approve", note="Seen the ticket")
    assert told(finance, answer) == "Approved, and given."

    grant.refresh_from_db()
    assert (grant.state, grant.decided_by) == (GrantState.GIVEN, finance.user)
    assert grant.decision_note == "Seen the ticket"
    assert Wallet.objects.get().bonus_coins == 1_000
    assert LogEntry.objects.filter(user=finance.user, object_id=str(grant.id)).count() == 1
    content = finance.page(grant).content.decode()
    assert "Seen the ticket" in content
    assert "support" in content


def test_a_second_person_refuses(support: Pages, finance: Pages) -> None:
    support.send(coins=1_000)
    answer = finance.decide(Grant.objects.get(), "refuse")
    assert told(finance, answer) == "Refused. Nothing was given."
    assert (Grant.objects.get().state, Transfer.objects.count()) == (GrantState.REFUSED, 0)


def test_finance_does_not_approve_its_own_and_may_withdraw_it(finance: Pages) -> None:
    finance.send(coins=1_000)
    grant = Grant.objects.get()
    assert not finance.page(grant).context["may_approve"]
    before = standing()
    assert "somebody else has to agree" in told(finance, finance.decide(grant, "approve"))
    assert standing() == before
    assert told(finance, finance.decide(grant, "refuse")) == "Refused. Nothing was given."


def test_support_withdraws_its_own_and_nobody_elses(
    support: Pages, finance: Pages, device: Device, now: datetime
) -> None:
    other = Pages(device.viewer_id, now, "support", "other")
    support.send(coins=1_000)
    grant = Grant.objects.get()
    before = standing()
    assert other.decide(grant, "refuse").status_code == 403
    assert standing() == before
    assert told(support, support.decide(grant, "refuse")) == "Refused. Nothing was given."


def test_what_is_decided_is_decided(support: Pages, finance: Pages) -> None:
    support.send(coins=1_000)
    grant = Grant.objects.get()
    finance.decide(grant, "refuse")
    before = standing()
    for decision in ("approve", "refuse"):
        assert told(finance, finance.decide(grant, decision)) == "This was decided before."
    assert "nothing to take back" in told(finance, finance.take_back(grant))
    assert standing() == before


def test_an_erased_viewer_receives_nothing(support: Pages, finance: Pages, now: datetime) -> None:
    support.send(coins=1_000)
    Viewer.objects.update(erased_at=now)
    before = standing()
    assert "erased" in told(finance, finance.decide(Grant.objects.get(), "approve"))
    assert standing() == before


def test_takes_back_what_is_left(support: Pages, finance: Pages) -> None:
    support.send(coins=300)
    grant = Grant.objects.get()
    assert finance.page(grant).context["left"] == "300 of 300 coins"
    assert told(finance, finance.take_back(grant)) == "Taken back: 300 coins."
    assert (Wallet.objects.get().bonus_coins, Grant.objects.get().state) == (0, "revoked")
    assert LogEntry.objects.filter(user=finance.user, object_id=str(grant.id)).count() == 1


@pytest.mark.parametrize(
    ("role", "may_see", "may_ask", "may_decide"),
    [
        ("support", True, True, False),
        ("finance", True, True, True),
        ("owner", True, True, True),
        ("pricing", True, False, False),
        ("content", False, False, False),
        ("analyst", False, False, False),
    ],
)
def test_each_role_does_what_it_may_whatever_it_sends(
    support: Pages, now: datetime, role: str, may_see: bool, may_ask: bool, may_decide: bool
) -> None:
    support.send(coins=1_000)
    waiting = Grant.objects.get()
    support.send(coins=10)
    given = Grant.objects.get(coins=10)
    pages = Pages(support.viewer_id, now, role, "somebody")
    before = standing()
    for url in ("/admin/payments/grant/", f"/admin/payments/grant/{given.id}/change/"):
        assert pages.get(url).status_code == (200 if may_see else 403), url
    assert pages.get(ADD).status_code == (200 if may_ask else 403)
    if not may_ask:
        assert pages.fill("look", coins=5).status_code == 403
        assert pages.fill("send", coins=5, shown="x").status_code == 403
    if not may_decide:
        for decision in ("approve", "refuse"):
            assert pages.decide(waiting, decision).status_code == 403
        assert pages.take_back(given).status_code == 403
    assert standing() == before
    if may_decide:
        assert told(pages, pages.decide(waiting, "approve")) == "Approved, and given."
        assert told(pages, pages.take_back(given)) == "Taken back: 10 coins."


def test_nobody_edits_or_deletes_a_grant(support: Pages, now: datetime) -> None:
    support.send(coins=10)
    grant = Grant.objects.get()
    root = signed_in(operator("root", is_superuser=True))
    before = standing()
    for action in ("change", "delete"):
        url = f"/admin/payments/grant/{grant.id}/{action}/"
        assert root.post(url, {"coins": "99", "post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(grant.id)], "post": "yes"}
    root.post("/admin/payments/grant/", chosen)
    assert standing() == before


def test_decisions_are_posted_with_a_token_of_the_form(support: Pages, finance: Pages) -> None:
    support.send(coins=1_000)
    grant = Grant.objects.get()
    guarded = Client(enforce_csrf_checks=True, raise_request_exception=False)
    guarded.cookies = finance.client.cookies
    before = standing()
    for name in ("decide", "take-back"):
        url = f"/admin/payments/grant/{grant.id}/{name}/"
        assert guarded.post(url, {"approve": "1"}).status_code == 403
        assert finance.get(url).status_code == 405
    assert standing() == before


def test_a_grant_that_is_not_there_is_not_found(finance: Pages) -> None:
    for name in ("decide", "take-back"):
        url = f"/admin/payments/grant/{uuid4()}/{name}/"
        assert finance.post(url, approve="1").status_code == 404


def test_what_waits_comes_first_and_can_be_filtered(support: Pages, now: datetime) -> None:
    support.send(coins=1_000)
    for _ in range(3):
        support.now += timedelta(seconds=1)
        support.send(coins=10)
    listed = support.get("/admin/payments/grant/").context["cl"].result_list
    assert [grant.coins for grant in listed] == [1_000, 10, 10, 10]
    waiting = support.get("/admin/payments/grant/", state__exact="waiting")
    assert [grant.coins for grant in waiting.context["cl"].result_list] == [1_000]


def test_the_list_asks_as_much_for_many_as_for_one(
    support: Pages, series: Series, django_assert_max_num_queries: Any
) -> None:
    for number in (9, 10, 11):
        support.send(kind="episode", series=str(series.id), number=number)
    support.send(kind="pass", days=1)
    support.send(coins=5)
    with django_assert_max_num_queries(10):
        assert support.get("/admin/payments/grant/").status_code == 200
    with django_assert_max_num_queries(20):
        support.page(Grant.objects.get(episode=episode(series, 9)))


def test_a_note_is_text_whatever_it_holds(support: Pages) -> None:
    support.send(coins=5, note="<script>alert(1)</script>")
    content = support.page(Grant.objects.get()).content
    assert b"&lt;script&gt;alert(1)" in content
    assert b"<script>alert(1)" not in content
