"""A new price is previewed by the function that charges, and saved exactly as previewed."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments import price_versions
from payments.models import EpisodePrice, PricePlan, PriceVersion
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.operators import operator, signed_in
from tests.factories.payments import CoinPackFactory, assign, fund
from tests.factories.viewers import clock_headers, viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device

EPISODE = re.compile(r'data-number="(\d+)" data-before="(\d+)" data-after="(\d+)"')


class Pages:
    """The pages of one plan, opened by an operator at a moment."""

    def __init__(self, plan: PricePlan, now: datetime, role: str = "pricing") -> None:
        self.plan, self.now = plan, now
        self.client: Client = signed_in(operator(role, role=role))
        self.url = f"/admin/payments/priceplan/{plan.id}/new-version/"

    def get(self) -> HttpResponse:
        return self.client.get(self.url, headers=clock_headers(self.now))

    def post(self, button: str, **fields: Any) -> HttpResponse:
        form = {"free_count": 8, "base_price_coins": 60, "overrides": "", button: "1"}
        return self.client.post(self.url, form | fields, headers=clock_headers(self.now))

    def preview(self, **fields: Any) -> HttpResponse:
        answer = self.post("preview", **fields)
        assert answer.status_code == 200
        return answer

    def save(self, previewed: HttpResponse, **fields: Any) -> HttpResponse:
        return self.post("save", shown=previewed.context["shown"], **fields)


@pytest.fixture
def plan(now: datetime) -> PricePlan:
    return PricePlan.objects.get(is_default=True)


@pytest.fixture
def pages(plan: PricePlan, now: datetime) -> Pages:
    return Pages(plan, now)


def previewed_prices(answer: HttpResponse) -> dict[int, tuple[int, int]]:
    """Episode → price today and new, as the page shows them."""
    found = EPISODE.findall(answer.content.decode())
    return {int(number): (int(before), int(after)) for number, before, after in found}


def charged_prices(api: Client, series: Series, device: Device, now: datetime) -> dict[int, int]:
    """Episode → price, as the paywall asks."""
    answer = api.get(f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=now))
    return {shown["number"]: shown["price_coins"] for shown in answer.json()["episodes"]}


def complaints(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    assert "preview" not in answer.context or answer.context["preview"] is None
    return str(answer.context["form"].errors)


def test_what_was_previewed_is_what_viewers_pay(
    api: Client, pages: Pages, series: Series, device: Device, now: datetime
) -> None:
    fields = {
        "free_count": 3,
        "base_price_coins": 75,
        "overrides": "5: 0\n10-11: 90\n200: 100",
        "series": str(series.id),
    }
    before = charged_prices(api, series, device, now)

    previewed = pages.preview(**fields)
    saved = pages.save(previewed, **fields)

    shown = previewed_prices(previewed)
    after = charged_prices(api, series, device, now + timedelta(seconds=1))
    assert {number: prices[0] for number, prices in shown.items()} == before
    assert {number: prices[1] for number, prices in shown.items()} == after
    assert after == {
        n: 0 if n in {1, 2, 3, 5} else 90 if n in {10, 11} else 75 for n in range(1, 13)
    }
    assert saved.url == f"/admin/payments/priceplan/{pages.plan.id}/change/"

    fund(device.viewer_id, now=now, paid=500)
    later = now + timedelta(seconds=2)
    headers = viewer_headers(device, now=later)
    quote = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()["quote"]
    answer = unlock(api, episode(series, 10), headers, quote=quote)
    assert answer.json()["price_coins"] == shown[10][1] == 90


def test_records_who_made_the_version(pages: Pages, series: Series, now: datetime) -> None:
    previewed = pages.preview(base_price_coins=70)
    pages.save(previewed, base_price_coins=70)
    version = PriceVersion.objects.order_by("-effective_from").first()
    assert version is not None
    assert version.created_by is not None
    assert version.created_by.username == "pricing"
    assert (version.effective_from, version.created_at) == (now, now)
    history = pages.client.get(f"/admin/payments/priceplan/{pages.plan.id}/history/")
    assert b"8 free, then 70 coins" in history.content


def test_a_version_of_tomorrow_charges_from_tomorrow(
    api: Client, pages: Pages, series: Series, device: Device, now: datetime
) -> None:
    tomorrow = {
        "effective_from_0": "2026-03-15",
        "effective_from_1": "12:00:00",
        "base_price_coins": 90,
    }
    previewed = pages.preview(**tomorrow)
    assert b"From 2026-03-15 12:00 UTC" in previewed.content
    pages.save(previewed, **tomorrow)

    just_before = now + timedelta(days=1, seconds=-1)
    assert charged_prices(api, series, device, just_before)[12] == 60
    assert charged_prices(api, series, device, now + timedelta(days=1))[12] == 90


def test_nothing_is_saved_by_a_preview_or_without_one(pages: Pages, series: Series) -> None:
    versions = PriceVersion.objects.count()
    pages.preview(base_price_coins=70)
    pages.post("save", base_price_coins=70)
    answer = pages.post("save", base_price_coins=70, shown="forged.token.here")
    assert b"Not saved" in answer.content
    assert PriceVersion.objects.count() == versions


@pytest.mark.parametrize(
    "changed",
    [
        {"base_price_coins": 71},
        {"free_count": 9},
        {"overrides": "9: 31"},
        {"effective_from_0": "2027-01-01", "effective_from_1": "00:00"},
    ],
)
def test_a_form_changed_after_the_preview_is_previewed_again(
    pages: Pages, series: Series, changed: dict[str, Any]
) -> None:
    previewed = pages.preview(base_price_coins=70, overrides="9: 30")
    versions = PriceVersion.objects.count()

    answer = pages.save(previewed, **({"base_price_coins": 70, "overrides": "9: 30"} | changed))

    assert b"Not saved: the form or the prices have changed" in answer.content
    assert PriceVersion.objects.count() == versions
    again = {"base_price_coins": 70, "overrides": "9: 30"} | changed
    assert pages.save(answer, **again).status_code == 302


def test_a_preview_of_older_prices_is_not_saved(
    pages: Pages, plan: PricePlan, series: Series, now: datetime
) -> None:
    previewed = pages.preview(base_price_coins=70, series=str(series.id))
    price_versions.add(
        plan=plan, effective_from=now, free_count=8, base_price_coins=65, overrides={}, now=now
    )
    answer = pages.save(previewed, base_price_coins=70, series=str(series.id))
    assert b"Not saved" in answer.content
    assert previewed_prices(answer)[12] == (65, 70)


def test_another_operators_preview_is_not_saved(
    pages: Pages, plan: PricePlan, series: Series, now: datetime
) -> None:
    previewed = pages.preview(base_price_coins=70)
    versions = PriceVersion.objects.count()
    Pages(plan, now, role="owner").save(previewed, base_price_coins=70)
    assert PriceVersion.objects.count() == versions


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"effective_from_0": "2026-03-14", "effective_from_1": "11:58:59"},
            "This moment has passed",
        ),
        ({"effective_from_0": "2026-03-14"}, "Enter a valid time"),
        ({"effective_from_0": "tomorrow", "effective_from_1": "12:00"}, "Enter a valid date"),
        ({"base_price_coins": 0}, "The price must be at least 1 coin"),
        ({"base_price_coins": -5}, "The price must be at least 1 coin"),
        ({"base_price_coins": 1_000_001}, "less than or equal to 1000000"),
        ({"base_price_coins": ""}, "This field is required"),
        ({"free_count": -1}, "greater than or equal to 0"),
        ({"free_count": 10_001}, "less than or equal to 10000"),
        ({"overrides": "12"}, "Line 1: “12” is not an episode and a price"),
        ({"overrides": "\n9: 1\nten: 2"}, "Line 3: “ten: 2” is not an episode and a price"),
        ({"overrides": "9: 1\n8-10: 2"}, "Line 2: Episode 9 has a price on an earlier line"),
        ({"overrides": "0: 1"}, "Line 1: Episodes are counted from 1 to 10,000"),
        ({"overrides": "10001: 1"}, "Line 1: Episodes are counted from 1 to 10,000"),
        ({"overrides": "9: 1000001"}, "Line 1: 1,000,001 coins is more than an episode may cost"),
        ({"overrides": "9: -1"}, "is not an episode and a price"),
        ({"base_price_coins": 601}, "601 coins is more than 10 times today&#x27;s price of 60"),
        ({"base_price_coins": 5}, "5 coins is less than a tenth of today&#x27;s price of 60"),
        ({"overrides": "9: 700"}, "700 coins is more than 10 times today&#x27;s price of 60"),
        ({"series": "no-series"}, "is not a valid UUID"),
    ],
)
def test_refuses_in_a_readable_sentence(
    pages: Pages, series: Series, fields: dict[str, Any], sentence: str
) -> None:
    versions = PriceVersion.objects.count()
    for button in ("preview", "save"):
        assert sentence in complaints(pages.post(button, **fields))
    assert PriceVersion.objects.count() == versions


def test_a_price_far_from_todays_is_saved_once_it_is_confirmed(
    pages: Pages, series: Series
) -> None:
    fields = {"base_price_coins": 601, "is_meant": "on"}
    assert pages.save(pages.preview(**fields), **fields).status_code == 302


def test_a_moment_just_past_still_counts_as_now(pages: Pages, series: Series) -> None:
    fields = {"effective_from_0": "2026-03-14", "effective_from_1": "11:59:00"}
    assert pages.save(pages.preview(**fields), **fields).status_code == 302


def test_refuses_a_second_version_of_one_moment(
    pages: Pages, plan: PricePlan, now: datetime
) -> None:
    moment = now + timedelta(days=1)
    fields = {"effective_from_0": "2026-03-15", "effective_from_1": "12:00:00"}
    previewed = pages.preview(**fields)
    price_versions.add(
        plan=plan, effective_from=moment, free_count=1, base_price_coins=1, overrides={}, now=now
    )
    assert "a version from that very moment already" in complaints(pages.save(previewed, **fields))
    assert PriceVersion.objects.filter(effective_from=moment).count() == 1


def test_starts_from_what_is_in_force(
    pages: Pages, plan: PricePlan, series: Series, now: datetime
) -> None:
    price_versions.add(
        plan=plan,
        effective_from=now,
        free_count=2,
        base_price_coins=50,
        overrides={9: 30, 10: 30, 12: 0},
        now=now,
    )
    initial = pages.get().context["form"].initial
    assert initial == {
        "free_count": 2,
        "base_price_coins": 50,
        "overrides": "9-10: 30\n12: 0",
        "series": series.id,
    }


def test_says_what_a_whole_series_costs_in_coins_and_money(pages: Pages, series: Series) -> None:
    CoinPackFactory(paid_coins=100, price_micros=1_990_000)
    CoinPackFactory(paid_coins=900, bonus_coins=100, price_micros=9_990_000)
    CoinPackFactory(paid_coins=1, price_micros=90_000_000, is_active=False)
    preview = pages.preview(base_price_coins=100, series=str(series.id)).context["preview"]
    assert (str(preview.before), preview.before.in_money) == ("240 coins", "2.40 USD to 4.78 USD")
    assert (str(preview.after), preview.after.in_money) == ("400 coins", "4.00 USD to 7.96 USD")
    assert (preview.free_before, preview.free_after) == (8, 8)
    shown = [(run.first.number, run.last.number, run.first.after) for run in preview.runs]
    assert shown == [(1, 8, "free"), (9, 12, "100")]


def test_warns_when_nothing_would_be_sold(pages: Pages, series: Series) -> None:
    answer = pages.preview(free_count=12, series=str(series.id))
    assert b"every episode becomes free" in answer.content


def test_shows_published_episodes_alone(pages: Pages, series: Series) -> None:
    series.episodes.filter(number=11).update(state="withdrawn")
    assert set(previewed_prices(pages.preview(series=str(series.id)))) == {*range(1, 11), 12}


def test_shows_first_episodes_where_there_is_no_series(pages: Pages) -> None:
    shown = previewed_prices(pages.preview(free_count=3, base_price_coins=70))
    assert shown[3] == (0, 0)
    assert shown[4] == (0, 70)
    assert shown[12] == (60, 70)


def test_a_plan_without_a_version_is_compared_with_the_default(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    plan = PricePlan.objects.create(name="Premiere", created_at=now)
    assign(plan, [series.id])
    pages = Pages(plan, now)
    fields = {"base_price_coins": 80, "series": str(series.id)}
    previewed = pages.preview(**fields)
    assert previewed_prices(previewed)[12] == (60, 80)
    assert b"Today this is priced by the plan <strong>Standard</strong>" in previewed.content
    pages.save(previewed, **fields)
    assert charged_prices(api, series, device, now + timedelta(seconds=1))[12] == 80


def test_titles_are_text_whatever_they_hold(pages: Pages, plan: PricePlan) -> None:
    payload = "<script>alert(1)</script>\"'<img src=x onerror=alert(2)>"
    series = SeriesFactory(title=payload)
    EpisodeFactory(series=series, number=1)
    PricePlan.objects.filter(id=plan.id).update(name="<b>Standard</b>")
    for answer in (pages.get(), pages.preview(series=str(series.id))):
        assert b"<script>alert" not in answer.content
        assert b"<img src=x" not in answer.content
        assert b"<b>Standard" not in answer.content
        assert b"&lt;script&gt;alert(1)" in answer.content


def test_versions_cannot_be_changed_by_anybody(plan: PricePlan, now: datetime) -> None:
    version = PriceVersion.objects.get(plan=plan)
    client = signed_in(operator("root", is_superuser=True))
    page = f"/admin/payments/priceversion/{version.id}"
    fields = {"free_count": 0, "base_price_coins": 1, "post": "yes"}
    for url in (f"{page}/change/", f"{page}/delete/", "/admin/payments/priceversion/add/"):
        assert client.post(url, fields).status_code == 403, url
    chosen = {"action": "delete_selected", "_selected_action": [version.id], "post": "yes"}
    client.post("/admin/payments/priceversion/", chosen)
    client.post(f"/admin/payments/priceplan/{plan.id}/delete/", {"post": "yes"})
    version.refresh_from_db()
    assert (version.free_count, version.base_price_coins) == (8, 60)


@pytest.mark.parametrize("model", [PriceVersion, EpisodePrice])
def test_the_database_refuses_to_change_a_price(plan: PricePlan, now: datetime, model: Any) -> None:
    price_versions.add(
        plan=plan,
        effective_from=now,
        free_count=1,
        base_price_coins=2,
        overrides={3: 4},
        now=now,
    )
    for change in (lambda rows: rows.update(id=plan.id), lambda rows: rows._raw_delete("default")):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            change(model.objects.all())


def test_asks_few_questions_of_the_database(
    pages: Pages, plan: PricePlan, series: Series, django_assert_max_num_queries: Any
) -> None:
    for number in range(13, 60):
        EpisodeFactory(series=series, number=number)
    overrides = "\n".join(f"{number}: {number}" for number in range(20, 60))
    with django_assert_max_num_queries(18):
        pages.preview(series=str(series.id), overrides=overrides)
