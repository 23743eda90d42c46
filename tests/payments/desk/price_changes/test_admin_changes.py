"""Operators change prices at their desk: drafted, looked at, agreed to by somebody else, taken back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments.desk import price_versions
from payments.models import ChangeState, PlanAssignment, PriceChange, PricePlan, PriceVersion
from payments.prices import pricing
from payments.prices.terms import Adjustment
from tests.factories import experiments
from tests.factories.operators import operator, signed_in
from tests.factories.payments import PAST
from tests.factories.viewers import DeviceFactory, clock_headers
from tests.payments.desk.price_changes.conftest import price_of

LIST = "/admin/payments/pricechange/"
SECOND = timedelta(seconds=1)
NINE = 9


class Desk:
    """One operator at the desk, at a moment."""

    def __init__(self, user: User, now: datetime) -> None:
        self.user, self.now = user, now
        self.client: Client = signed_in(user)

    def get(self, url: str, **query: Any) -> HttpResponse:
        return self.client.get(url, query, headers=clock_headers(self.now))

    def post(self, url: str, *, follow: bool = True, **fields: Any) -> HttpResponse:
        return self.client.post(url, fields, follow=follow, headers=clock_headers(self.now))

    def draft(self, kind: str, **fields: Any) -> PriceChange:
        """Drafts a change over its form and answers it."""
        before = set(PriceChange.objects.values_list("id", flat=True))
        answer = self.send(kind, follow=False, **fields)
        made = PriceChange.objects.exclude(id__in=before).first()
        assert made is not None, complaints(answer)
        return made

    def send(self, kind: str, *, follow: bool = True, **fields: Any) -> HttpResponse:
        form = {"name": "A change", "draft": "1"} | (PLAN if kind == "plan" else {})
        return self.post(f"{LIST}new/{kind}/", follow=follow, **form | fields)

    def page(self, change: PriceChange, **query: Any) -> HttpResponse:
        return self.get(f"{LIST}{change.id}/change/", **query)

    def step(self, change: PriceChange, name: str, **fields: Any) -> HttpResponse:
        """Confirms a step, as it was just looked at."""
        shown = self.page(change).context["shown"]
        form = {"shown": shown, "confirmed": "1"} | fields
        answer = self.post(f"{LIST}{change.id}/{name}/", **form)
        change.refresh_from_db()
        return answer


PLAN = {
    "free_count": 8,
    "base_price_coins": 80,
    "variants-TOTAL_FORMS": 0,
    "variants-INITIAL_FORMS": 0,
}


def complaints(answer: HttpResponse) -> str:
    parts = [answer.context.get(name) for name in ("form", "titles_form", "variants")]
    return str([part.errors for part in parts if part is not None])


def said(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.fixture
def desk(dana: User, now: datetime) -> Desk:
    return Desk(dana, now)


@pytest.fixture
def second(erin: User, now: datetime) -> Desk:
    return Desk(erin, now)


@pytest.fixture
def premiere(plan: PricePlan) -> PricePlan:
    made = PricePlan.objects.create(name="Premiere", created_at=PAST)
    price_versions.add(plan=made, effective_from=PAST, free_count=8, base_price_coins=80, now=PAST)
    return made


def test_every_kind_has_a_page_that_says_what_it_is(desk: Desk) -> None:
    page = desk.get(f"{LIST}add/").content.decode()
    for kind in ("plan", "move", "promotion", "table"):
        assert f"{LIST}new/{kind}/" in page
        assert desk.get(f"{LIST}new/{kind}/").status_code == 200
    assert desk.get(f"{LIST}new/rebate/").status_code == 404


def test_a_draft_changes_nothing_and_shows_who_would_pay_what(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    change = desk.draft(
        "plan",
        plan=plan.id,
        steps="11: 90",
        overrides="9: 0",
        **{
            "variants-TOTAL_FORMS": 1,
            "variants-0-regions": "br",
            "variants-0-platforms": "web",
            "variants-0-percent": 50,
        },
    )

    assert change.state == ChangeState.DRAFT
    assert price_of(titles[0], 10, now) == 60
    preview = desk.page(change).context["preview"]
    lines = {line.name: (line.free, line.whole) for line in preview.by_sample}
    # Nine free of twelve, then 80, 90, 90; half of that in Brazil on the web.
    assert lines == {
        "Everybody else": ((8, 9), ("240", "260")),
        "BR on Web": ((8, 9), ("240", "130")),
    }
    assert [e.after_coins for e in preview.episodes[8:]] == [0, 80, 90, 90]
    assert (preview.reach.titles_count, preview.rise) == (3, "+8.3 %")
    assert [line.whole for line in preview.by_title] == [("240", "260")] * 3
    assert PriceVersion.objects.count() == 1


def test_shows_every_arm_and_every_way_that_a_title_is_sold(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    asked = {"dear": Adjustment(price_coins=90)}
    experiments.running(
        {"control": 500_000, "dear": 500_000}, asked, code="nine-coins", now=now - timedelta(days=1)
    )
    elsewhere = {"far": Adjustment(price_coins=70)}
    experiments.running(
        {"control": 500_000, "far": 500_000}, elsewhere, series_ids=[titles[1].id], now=now
    )
    change = desk.draft("plan", plan=plan.id, bundle_percent=50, rental_hours=24, rental_percent=25)

    page = desk.page(change, title=titles[0].id)

    preview = page.context["preview"]
    lines = {line.name: (line.whole, line.at_once, line.rented) for line in preview.by_sample}
    # Four of twelve are paid for: 60 each and 80 from now on, but in an arm that asks 90 before and after.
    assert {name: lines[name] for name in lines if "Arm" in name or "Everybody" in name} == {
        "Everybody else": (("240", "320"), ("not sold", "160"), ("not sold", "20")),
        "Arm control of nine-coins": (("240", "320"), ("not sold", "160"), ("not sold", "20")),
        "Arm dear of nine-coins": (("360", "360"), ("not sold", "180"), ("not sold", "23")),
    }
    assert "All at once" in page.content.decode()
    unsold = desk.page(desk.draft("plan", plan=plan.id)).content.decode()
    assert "All at once" not in unsold


def test_small_it_is_in_force_once_it_is_confirmed(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    change = desk.draft("plan", plan=plan.id)
    unconfirmed = desk.post(f"{LIST}{change.id}/propose/", shown=desk.page(change).context["shown"])
    assert "not confirmed" in said(unconfirmed)
    assert price_of(titles[0], NINE, now) == 60

    answer = desk.step(change, "propose")

    assert "In force for 3 titles" in said(answer)
    assert change.state == ChangeState.SCHEDULED
    assert price_of(titles[0], NINE, now) == 80
    history = desk.page(change).context["preview"]
    assert [line.whole for line in history.by_sample[:1]] == [("240", "320")]


def test_above_the_threshold_somebody_else_has_to_agree(
    desk: Desk, second: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    change = desk.draft("plan", plan=plan.id, base_price_coins=100)
    assert "second person has to agree" in desk.page(change).content.decode()
    assert "until a second person has agreed" in said(desk.step(change, "propose"))
    assert (change.state, price_of(titles[0], NINE, now)) == (ChangeState.WAITING, 60)

    own = desk.step(change, "decide", agree="1")
    assert "somebody else has to agree" in said(own)
    assert (change.state, price_of(titles[0], NINE, now)) == (ChangeState.WAITING, 60)

    second.step(change, "decide", agree="1", note="Seen")

    assert (change.state, change.decision_note) == (ChangeState.SCHEDULED, "Seen")
    assert price_of(titles[0], NINE, now) == 100
    again = second.step(change, "decide", agree="1")
    assert "agreed to already" in said(again)
    assert PriceVersion.objects.filter(change=change).count() == 1


def test_what_waits_is_work_for_whoever_may_decide(
    desk: Desk, second: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    change = desk.draft("plan", plan=plan.id, base_price_coins=100)
    assert not second.get("/admin/").context["waiting_changes"]
    desk.step(change, "propose")

    assert [row["is_own"] for row in desk.get("/admin/").context["waiting_changes"]] == [True]
    home = second.get("/admin/")
    assert [row["change"] for row in home.context["waiting_changes"]] == [change]
    assert "your word is needed" in home.content.decode()
    support = Desk(operator("sue", role="support"), now)
    assert not support.get("/admin/").context["waiting_changes"]


def test_refused_it_says_why_and_changes_nothing(
    desk: Desk, second: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    change = desk.draft("plan", plan=plan.id, base_price_coins=100)
    desk.step(change, "propose")
    second.step(change, "decide", refuse="1", note="Too much at once")

    assert change.state == ChangeState.REFUSED
    assert "Too much at once" in desk.page(change).content.decode()
    assert price_of(titles[0], NINE, now) == 60


@pytest.mark.parametrize(
    ("note", "complaint"),
    [("a\x00b", "Null characters are not allowed"), ("x" * 501, "at most 500 characters")],
)
def test_a_note_that_cannot_be_kept_decides_nothing(
    desk: Desk, second: Desk, plan: PricePlan, titles: Sequence[Series], note: str, complaint: str
) -> None:
    change = desk.draft("plan", plan=plan.id, base_price_coins=100)
    desk.step(change, "propose")

    for answer in ("agree", "refuse"):
        assert complaint in said(second.step(change, "decide", note=note, **{answer: "1"}))
        assert change.state == ChangeState.WAITING


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_filter_takes_any_day_that_can_be_written(
    desk: Desk, premiere: PricePlan, titles: Sequence[Series], day: str
) -> None:
    for field in ("titles-published_from", "titles-published_until"):
        assert desk.get(f"{LIST}prices/", **{field: day}).status_code == 200
        looked = desk.post(f"{LIST}new/move/", look="1", plan=premiere.id, **{field: day})
        is_all = (day < "1000") == field.endswith("from")
        assert looked.context["chosen"]["count"] == (3 if is_all else 0)


def test_whoever_asked_may_withdraw_it(
    desk: Desk, plan: PricePlan, titles: Sequence[Series]
) -> None:
    drafted = desk.draft("plan", plan=plan.id)
    desk.step(drafted, "end")
    assert drafted.state == ChangeState.WITHDRAWN
    waiting = desk.draft("plan", plan=plan.id, base_price_coins=100)
    desk.step(waiting, "propose")
    desk.step(waiting, "decide", refuse="1")
    assert waiting.state == ChangeState.REFUSED
    assert PriceVersion.objects.count() == 1


def test_rolled_back_it_costs_what_it_did(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    change = desk.draft("plan", plan=plan.id)
    desk.step(change, "propose")
    desk.now = now + 2 * SECOND

    answer = desk.step(change, "end")

    assert "Rolled back" in said(answer)
    assert change.state == ChangeState.ROLLED_BACK
    assert price_of(titles[0], NINE, now + 3 * SECOND) == 60
    assert price_of(titles[0], NINE, now + SECOND) == 80
    assert [line.whole for line in desk.page(change).context["preview"].by_sample[:1]] == [
        ("240", "320")
    ]


def test_scheduled_it_begins_by_itself_and_can_be_withdrawn_before(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    moment = {"effective_from_0": "2026-03-20", "effective_from_1": "06:00"}
    at = now.replace(day=20, hour=6)
    change = desk.draft("plan", plan=plan.id, **moment)
    assert "Scheduled for 2026-03-20 06:00 UTC" in said(desk.step(change, "propose"))
    assert [price_of(titles[0], NINE, when) for when in (at - SECOND, at)] == [60, 80]
    assert [one.id for one in desk.get("/admin/").context["scheduled_changes"]] == [change.id]

    desk.step(change, "end")

    assert change.state == ChangeState.WITHDRAWN
    assert price_of(titles[0], NINE, at) == 60


def test_sent_twice_it_is_done_once(desk: Desk, plan: PricePlan, titles: Sequence[Series]) -> None:
    change = desk.draft("plan", plan=plan.id)
    form = {"shown": desk.page(change).context["shown"], "confirmed": "1"}
    desk.post(f"{LIST}{change.id}/propose/", **form)
    again = desk.post(f"{LIST}{change.id}/propose/", **form)

    assert "agreed to already" in said(again)
    assert PriceVersion.objects.filter(change=change).count() == 1


def test_what_has_moved_since_it_was_looked_at_is_looked_at_again(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    change = desk.draft("plan", plan=plan.id)
    shown = desk.page(change).context["shown"]
    price_versions.add(
        plan=plan, effective_from=now - SECOND, free_count=8, base_price_coins=70, now=now
    )

    answer = desk.post(f"{LIST}{change.id}/propose/", shown=shown, confirmed="1")

    change.refresh_from_db()
    assert "has changed since you looked" in said(answer)
    assert (change.state, price_of(titles[0], NINE, now)) == (ChangeState.DRAFT, 70)
    forged = desk.post(f"{LIST}{change.id}/propose/", shown="forged.token", confirmed="1")
    assert "has changed since you looked" in said(forged)
    assert price_of(titles[0], NINE, now) == 70


def test_moves_every_title_that_a_filter_finds(
    desk: Desk, premiere: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    other = titles[2]
    Series.objects.filter(id=other.id).update(genre="romance")
    chosen = {"plan": premiere.id, "titles-genre": "adventure"}

    looked = desk.post(f"{LIST}new/move/", look="1", **chosen)
    assert looked.context["chosen"]["count"] == 2
    assert not PriceChange.objects.exists()
    change = desk.draft("move", **chosen)
    desk.step(change, "propose")

    assert [price_of(one, NINE, now) for one in titles] == [80, 80, 60]
    assert "adventure" in desk.page(change).content.decode()
    assert change.titles_count == 2


def test_a_promotion_is_on_for_a_time_where_it_says(
    desk: Desk, titles: Sequence[Series], now: datetime
) -> None:
    device = DeviceFactory(viewer__region="BR", platform="ios")
    change = desk.draft(
        "promotion",
        percent_off=25,
        regions="BR, mx",
        ends_at_0="2026-03-16",
        ends_at_1="12:00",
    )
    lines = {line.name: line.whole for line in desk.page(change).context["preview"].by_sample}
    assert lines == {
        "Everybody else": ("240", "240"),
        "BR": ("240", "180"),
        "MX": ("240", "180"),
    }
    desk.step(change, "propose")

    moments = (now, now + timedelta(days=2) - SECOND, now + timedelta(days=2))
    assert [price_of(titles[0], NINE, at, device) for at in moments] == [45, 45, 60]
    assert price_of(titles[0], NINE, now) == 60


def test_shows_a_title_and_a_viewer_who_are_asked_for(
    desk: Desk, plan: PricePlan, titles: Sequence[Series]
) -> None:
    device = DeviceFactory(viewer__region="US")
    change = desk.draft("plan", plan=plan.id)

    page = desk.page(change, title=titles[0].id, viewer=device.viewer_id)

    assert page.context["preview"].series == titles[0]
    names = [line.name for line in page.context["preview"].by_sample]
    assert f"Viewer …{str(device.viewer_id)[-12:]}" in names
    odd = desk.page(change, title="'; DROP TABLE", viewer="nobody")
    assert odd.status_code == 200


def test_starts_from_what_is_in_force_and_from_an_earlier_change(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    form = desk.get(f"{LIST}new/plan/").context["form"]
    assert (form.initial["free_count"], form.initial["base_price_coins"]) == (8, 60)
    change = desk.draft(
        "plan",
        plan=plan.id,
        steps="11: 90",
        bundle_percent=75,
        rental_hours=48,
        rental_price_coins=20,
    )
    again = desk.get(f"{LIST}new/plan/", again=str(change.id)).context["form"].initial
    kept = {name: again[name] for name in ("steps", "bundle_percent", "rental_hours")}
    assert kept == {"steps": "11: 90", "bundle_percent": 75, "rental_hours": 48}
    desk.step(change, "propose")
    version = PriceVersion.objects.get(change=change)
    assert version.bundle_adjustment.scale_parts_per_million == 750_000
    assert (version.rental_seconds, version.rental_adjustment.price_coins) == (172_800, 20)


def test_lists_every_change_with_what_it_was(
    desk: Desk, plan: PricePlan, titles: Sequence[Series]
) -> None:
    change = desk.draft("plan", plan=plan.id, name="Spring prices")
    desk.step(change, "propose")
    desk.draft("plan", plan=plan.id, base_price_coins=90, name="Summer prices")

    page = desk.get(LIST).content.decode()
    for text in ("Spring prices", "Standard: 8 free, then 80 coins", "+33.3 %", "dana", "in force"):
        assert text in page
    drafts = desk.get(LIST, state__exact="draft").context["cl"].result_list
    assert [one.name for one in drafts] == ["Summer prices"]


@pytest.mark.parametrize("role", ["support", "content", "finance", "analyst"])
def test_only_a_role_that_prices_asks_decides_and_takes_back(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime, role: str
) -> None:
    change = desk.draft("plan", plan=plan.id, base_price_coins=100)
    desk.step(change, "propose")
    other = Desk(operator(role, role=role), now)

    may_look = role != "analyst"
    assert other.get(LIST).status_code == (200 if may_look else 403)
    assert other.get(f"{LIST}{change.id}/change/").status_code == (200 if may_look else 403)
    for kind in ("plan", "move", "promotion", "table"):
        assert other.get(f"{LIST}new/{kind}/").status_code == 403
        assert other.post(f"{LIST}new/{kind}/", draft="1").status_code == 403
    for step in ("propose", "decide", "end"):
        url = f"{LIST}{change.id}/{step}/"
        assert other.post(url, confirmed="1", agree="1", shown="x").status_code == 403
        assert other.get(url).status_code == 405
    change.refresh_from_db()
    assert (change.state, price_of(titles[0], NINE, now)) == (ChangeState.WAITING, 60)


def test_no_step_is_taken_without_the_forms_own_token(
    dana: User, desk: Desk, plan: PricePlan, titles: Sequence[Series]
) -> None:
    change = desk.draft("plan", plan=plan.id)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = desk.client.cookies
    for step in ("propose", "decide", "end"):
        assert strict.post(f"{LIST}{change.id}/{step}/", {"confirmed": "1"}).status_code == 403
    change.refresh_from_db()
    assert change.state == ChangeState.DRAFT


REFUSED: Sequence[tuple[str, dict[str, Any], str]] = [
    ("plan", {"base_price_coins": 0}, "To give episodes away, make them free"),
    ("plan", {"base_price_coins": -5}, "To give episodes away, make them free"),
    ("plan", {"base_price_coins": ""}, "This field is required"),
    ("plan", {"base_price_coins": "sixty"}, "Enter a whole number"),
    ("plan", {"free_count": -1}, "greater than or equal to 0"),
    ("plan", {"steps": "11"}, "is not an episode and a price"),
    ("plan", {"steps": "11: 70"}, "a step costs more than what comes before it"),
    ("plan", {"steps": "1: 90"}, "Steps begin at episode 2"),
    ("plan", {"overrides": "9: 1\n8-10: 2"}, "Episode 9 has a price on an earlier line"),
    ("plan", {"overrides": "0: 5"}, "counted from 1"),
    ("plan", {"bundle_percent": 120}, "would cost more bought with the rest than alone"),
    ("plan", {"rental_percent": 50}, "Say for how long"),
    ("plan", {"rental_hours": 48}, "It changes nothing"),
    (
        "plan",
        {"effective_from_0": "2026-03-13", "effective_from_1": "12:00"},
        "The moment has passed",
    ),
    ("plan", {"effective_from_0": "2026-03-20"}, "Enter a valid time"),
    (
        "plan",
        {"variants-TOTAL_FORMS": 1, "variants-0-percent": 80},
        "says where: regions, platforms, or both",
    ),
    (
        "plan",
        {"variants-TOTAL_FORMS": 1, "variants-0-regions": "Brazil", "variants-0-percent": 80},
        "Write two letters each",
    ),
    ("plan", {"variants-TOTAL_FORMS": 1, "variants-0-regions": "BR"}, "It changes nothing"),
    ("plan", {"plan": "00000000-0000-0000-0000-000000000000"}, "Select a valid choice"),
    ("plan", {"plan": "x"}, "is not a valid UUID"),
    ("plan", {"name": ""}, "This field is required"),
    ("move", {"titles-words": "nothing says this"}, "the filter matches nothing"),
    ("move", {"titles-genre": "unheard of"}, "Select a valid choice"),
    ("move", {"titles-minimum_episodes": 9, "titles-maximum_episodes": 2}, "more than at most"),
    ("promotion", {"ends_at_0": "2026-03-20", "ends_at_1": "12:00"}, "It changes nothing"),
    (
        "promotion",
        {"ends_at_0": "2026-03-01", "ends_at_1": "12:00", "percent_off": 20},
        "It would end before it begins",
    ),
    (
        "promotion",
        {"ends_at_0": "2026-03-20", "ends_at_1": "12:00", "percent_off": 101},
        "less than or equal to 100",
    ),
    ("promotion", {"percent_off": 20}, "This field is required"),
]


@pytest.mark.matrix(3)
@pytest.mark.parametrize(("kind", "fields", "sentence"), REFUSED)
def test_what_no_price_can_be_is_refused_in_a_sentence(
    desk: Desk,
    plan: PricePlan,
    premiere: PricePlan,
    titles: Sequence[Series],
    kind: str,
    fields: dict[str, Any],
    sentence: str,
) -> None:
    chosen = {"plan": premiere.id} if kind != "promotion" else {}
    answer = desk.send(kind, **chosen | fields)
    assert answer.status_code == 200
    assert sentence in complaints(answer).replace("&#x27;", "'")
    assert not PriceChange.objects.exists()


def propose_refused(desk: Desk, change: PriceChange, sentence: str) -> None:
    """The page says so before, and asking for it does nothing."""
    page = desk.page(change)
    assert sentence in " ".join(page.context["preview"].refusals)
    assert "Put in force" not in page.content.decode()
    assert sentence in said(desk.step(change, "propose"))
    assert change.state == ChangeState.DRAFT


@pytest.mark.parametrize("price_coins", [600, 6, 10_000])
def test_ten_times_what_episodes_cost_is_refused(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime, price_coins: int
) -> None:
    change = desk.draft("plan", plan=plan.id, base_price_coins=price_coins)
    propose_refused(desk, change, "far from what episodes cost, which is 60")
    assert price_of(titles[0], NINE, now) == 60


def test_two_schedules_for_one_plan_are_refused(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    ahead = {"effective_from_0": "2026-03-20", "effective_from_1": "06:00"}
    first, second = (desk.draft("plan", plan=plan.id, **ahead) for _ in range(2))
    desk.step(first, "propose")
    propose_refused(desk, second, "Standard changes already at 2026-03-20 06:00")
    third = desk.draft("plan", plan=plan.id, base_price_coins=70)
    propose_refused(desk, third, "Standard changes already")


def test_two_promotions_on_one_title_are_refused(
    desk: Desk, titles: Sequence[Series], now: datetime
) -> None:
    ends = {"ends_at_0": "2026-03-16", "ends_at_1": "12:00", "percent_off": 20}
    first, second = (desk.draft("promotion", **ends, name="Easter") for _ in range(2))
    desk.step(first, "propose")
    propose_refused(desk, second, "Easter is on for some of these titles")


def test_two_moves_of_one_title_are_refused(
    desk: Desk, premiere: PricePlan, titles: Sequence[Series], now: datetime
) -> None:
    ahead = {"effective_from_0": "2026-03-20", "effective_from_1": "06:00"}
    first, second = (desk.draft("move", plan=premiere.id, **ahead) for _ in range(2))
    desk.step(first, "propose")
    propose_refused(desk, second, "moves to Premiere at 2026-03-20 06:00 already")
    assert PlanAssignment.objects.count() == 3


def test_texts_are_text_whatever_they_hold(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], premiere: PricePlan
) -> None:
    payload = "<script>alert(1)</script>"
    PricePlan.objects.filter(id=premiere.id).update(name=payload)
    change = desk.draft("move", plan=premiere.id, name=payload, **{"titles-words": "title"})
    for page in (desk.page(change), desk.get(LIST), desk.get(f"{LIST}new/move/")):
        assert payload not in page.content.decode()


def test_a_version_that_no_change_brought_shows_on_the_plans_page(
    desk: Desk, plan: PricePlan, titles: Sequence[Series]
) -> None:
    change = desk.draft("plan", plan=plan.id)
    desk.step(change, "propose")
    page = desk.get(f"/admin/payments/priceplan/{plan.id}/change/").content.decode()
    assert f"{LIST}{change.id}/change/" in page
    version = pricing.version_in_force(series_id=titles[0].id, at=desk.now)
    assert f"/admin/payments/priceversion/{version.id}/change/" in page
