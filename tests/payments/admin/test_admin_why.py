"""Support opens "Why may they watch?" and reads the answer with every row behind it."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.html import escape

from catalog.models import Series
from payments.desk.grants import EpisodeGift, PassGift
from payments.models import Entitlement, PassPurchase, Unlock, Wallet
from payments.providers.base import State
from payments.store import subscriptions
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import DeviceFactory, clock_headers
from tests.payments.diary import Diary
from tests.payments.subscribing import Story, plan, tell
from viewers.models import Device

URL = "/admin/payments/entitlement/why/"


@pytest.fixture
def diary(device: Device, series: Series, now: Any) -> Diary:
    return Diary(device.viewer_id, series, now, operator("olga"), operator("piet"))


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator(role="support"))


def _page(client: Client, diary: Diary, **query: Any) -> Any:
    answer = client.get(URL, query, headers=clock_headers(diary.now))
    assert answer.status_code == 200
    return answer


def _ask(client: Client, diary: Diary, number: int, **query: Any) -> Any:
    asked = {"viewer": diary.viewer_id, "episode": diary.episode(number).id}
    return _page(client, diary, **(asked | query)).context


def _facts(lines: Any) -> list[str]:
    return [line.about for line in lines]


def test_a_yes_leads_from_the_right_to_watch_down_to_the_purchase(
    client: Client, diary: Diary
) -> None:
    bought = diary.buy()
    diary.unlock(9)
    diary.play(9)
    diary.refund(bought, micros=8_000_000)

    shown = _ask(client, diary, 9)

    assert shown["answer"] == "Yes: unlocked with 60 coins."
    assert _facts(shown["standing"]) == [
        "Right",
        "Unlock",
        "Price charged",
        "Quote",
        "Lot",
        "Bought",
        "Refund",
        "Correction",
        "Price in force on iOS",
    ]
    says = {line.about: line.says for line in shown["standing"]}
    assert says["Lot"] == "60 of 100 paid coins, 6.00 USD"
    assert bought.transaction_id in says["Bought"]
    assert says["Refund"] == "8.00 USD went back by store (Accident): 40 coins taken, 40 owed"


def test_a_device_that_is_none_of_the_viewers_is_refused(client: Client, diary: Diary) -> None:
    device = Device.objects.get(viewer_id=diary.viewer_id)
    assert _ask(client, diary, 9, device=device.id)["answer"].startswith("No")

    answer = _ask(client, diary, 9, device=uuid4())

    assert "no device of this id" in str(answer["form"].errors)


def test_every_row_that_is_named_has_a_page(client: Client, diary: Diary) -> None:
    bought = diary.buy()
    unlocked = diary.unlock(9)
    diary.refund(bought)
    diary.give(EpisodeGift(diary.episode(9).id))
    placement = PlacementFactory()
    session = ad_session(
        placement, viewer_id=diary.viewer_id, episode_id=diary.episode(10).id, now=diary.now
    )
    watch(session, now=diary.now)

    pages = [
        _page(client, diary, viewer=diary.viewer_id, episode=diary.episode(n).id) for n in (9, 10)
    ]

    links = {
        url for page in pages for url in re.findall(r'href="(/admin/[^"]+/change/)"', page.text)
    }
    assert f"/admin/payments/unlock/{unlocked.id}/change/" in links
    assert f"/admin/ads/adsession/{session.id}/change/" in links
    assert len(links) > 8
    for url in links:
        assert client.get(url, headers=clock_headers(diary.now)).status_code == 200, url


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (3, "Yes: episode 3 was free for everybody."),
        (9, "No: it would have cost 60 coins, and nothing had opened it."),
    ],
)
def test_explains_what_nothing_was_done_for(
    client: Client, diary: Diary, number: int, answer: str
) -> None:
    assert _ask(client, diary, number)["answer"] == answer


def test_explains_a_no_by_what_ended(client: Client, diary: Diary) -> None:
    bought = diary.buy()
    diary.undo(diary.unlock(9))
    diary.unlock(9)
    diary.refund(bought)

    shown = _ask(client, diary, 9)

    assert shown["answer"] == (
        "No: it would have cost 60 coins, and what had opened it was closed by a refund."
    )
    assert [lines[1].says for lines in shown["earlier"]] == [
        "It was closed by a refund",
        "It was undone by olga: Wrong episode",
    ]


def test_explains_a_pass_before_and_after_it_opened_something(client: Client, diary: Diary) -> None:
    diary.give(PassGift(1))
    before = _ask(client, diary, 9)
    diary.unlock(9)
    after = _ask(client, diary, 9)

    assert before["answer"].startswith("Yes: a subscription or pass covered it")
    assert _facts(before["standing"]) == ["Cover", "Given", "Price in force on iOS"]
    assert after["answer"] == "Yes: opened under a subscription or pass."
    assert "olga gave a pass of 1 days" in after["standing"][2].says


def test_a_past_moment_is_answered_as_of_then(client: Client, diary: Diary) -> None:
    diary.buy()
    unlocked = diary.unlock(9)
    before = diary.now - timedelta(microseconds=1)
    diary.undo(unlocked)

    assert _ask(client, diary, 9, at=before.isoformat())["answer"].startswith("No")
    assert _ask(client, diary, 9, at=unlocked.created_at.isoformat())["answer"].startswith("Yes")
    assert _ask(client, diary, 9)["answer"].startswith("No")


def test_an_episode_is_found_by_its_series_and_number(client: Client, diary: Diary) -> None:
    query = {"viewer": diary.viewer_id, "series": diary.series.external_id, "number": "9"}

    shown = _page(client, diary, **query).context

    assert shown["told"].episode_id == diary.episode(9).id
    assert shown["what"].endswith("episode 9")


@pytest.mark.parametrize(
    "wrong",
    [
        {"viewer": "x"},
        {"viewer": str(uuid4())},
        {"episode": str(uuid4())},
        {"episode": "", "series": "nothing", "number": "1"},
        {"number": "9" * 40},
        {"at": "yesterday"},
        {"at": "2126-01-01"},
        {"environment": "moon"},
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(
    client: Client, diary: Diary, wrong: dict[str, str]
) -> None:
    asked = {"viewer": diary.viewer_id, "episode": diary.episode(9).id}

    shown = _page(client, diary, **(asked | wrong)).context

    assert shown["form"].errors
    assert "told" not in shown


@pytest.mark.parametrize(
    "odd", [{"at": "0001-01-01T00:00:00+23:59"}, {"series": "\x00"}, {"x": "1"}]
)
def test_an_odd_question_is_answered(client: Client, diary: Diary, odd: dict[str, str]) -> None:
    assert "told" in _ask(client, diary, 9, **odd)


def test_the_pages_of_unlock_entitlement_and_wallet_lead_here(client: Client, diary: Diary) -> None:
    diary.buy()
    diary.unlock(9)
    rows = {"unlock": Unlock, "entitlement": Entitlement, "wallet": Wallet}
    for name, model in rows.items():
        row = model.objects.get()
        page = client.get(
            f"/admin/payments/{name}/{row.pk}/change/", headers=clock_headers(diary.now)
        )
        (url,) = re.findall(rf'href="({re.escape(URL)}[^"]+)"', page.text)
        shown = client.get(url.replace("&amp;", "&"), headers=clock_headers(diary.now)).context
        assert shown["answer"] == "Yes: unlocked with 60 coins.", name


def test_what_viewers_and_pipelines_name_is_text(client: Client, diary: Diary) -> None:
    nasty = "<script>alert(1)</script>"
    diary.series.texts.update(title=nasty)
    bought = diary.buy()
    diary.unlock(9)
    diary.refund(bought, reason=nasty)

    text = _page(client, diary, viewer=diary.viewer_id, episode=diary.episode(9).id).text

    assert escape(nasty) in text
    assert nasty not in text


def test_only_who_may_see_entitlements_may_ask(diary: Diary) -> None:
    client = signed_in(operator("cat", role="content"))

    assert client.get(URL, headers=clock_headers(diary.now)).status_code == 403
    assert Client().get(URL).status_code == 302
    assert URL not in client.get("/admin/").text
    assert URL in signed_in(operator("sue", role="support")).get("/admin/").text


def test_tells_of_a_subscription_who_said_what_and_what_ended_it(
    client: Client, diary: Diary
) -> None:
    story = Story(diary.viewer_id, diary.now, plan())
    tell(story.paid(0), now=diary.now)
    assert diary.unlock(9) is None
    heir = DeviceFactory().viewer_id

    shown = _ask(client, diary, 9)
    assert shown["answer"] == "Yes: opened under a subscription or pass."
    says = {line.about: line.says for line in shown["standing"]}
    assert "active" in says["Told"] or "runs and renews" in says["Told"]
    assert story.name in says["Subscription"]
    assert f"{story.name}..0" in says["Period"]

    diary.wait(hours=1)
    tell(story.says(State.PAUSED, at=diary.now), now=diary.now)
    subscriptions.transfer(story.row(), viewer_id=heir, operator_id=None, now=diary.now)
    shown = _ask(client, diary, 9)
    assert "ended with its subscription, by the store's word" in shown["answer"]
    (lines,) = shown["earlier"]
    assert "paused by the viewer" in lines[1].says
    assert str(heir) in {line.about: line.says for line in lines}["Transferred"]


def test_a_periods_page_tells_how_it_stands(client: Client, diary: Diary) -> None:
    story = Story(diary.viewer_id, diary.now, plan())
    tell(story.paid(0), now=diary.now)
    page = f"/admin/payments/passpurchase/{PassPurchase.objects.get().id}/change/"
    assert "running" in client.get(page, headers=clock_headers(diary.now)).text

    tell(story.refund(0, at=diary.now), now=diary.now)
    assert "taken back" in client.get(page, headers=clock_headers(diary.now)).text
