"""Operators change a price in a real browser: password, code, draft, preview, a second person, rollback."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import connections
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from catalog.models import Series
from config import clock, operators, roles
from payments.desk import price_versions
from payments.models import PriceChange, PricePlan
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.operators import SECRET, code_of
from tests.factories.viewers import DeviceFactory, viewer_headers
from viewers.models import Device

pytestmark = pytest.mark.matrix(3)

PASSWORD = "a tower of boiled plums"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
EPISODES = 20


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page that fails the test on any script error, missing file or refused request."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium on PATH (Debian: apt-get install chromium)")
    # Playwright runs an event loop in this thread, which Django takes for asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1360, "height": 900})
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on(
            "response",
            lambda answer: (
                failures.append(f"{answer.status} {answer.url}")
                if answer.status >= 400 and not answer.url.endswith("/favicon.ico")
                else None
            ),
        )
        yield page
        browser.close()
        # Under a running loop this thread has database connections of its own.
        connections.close_all()
    assert failures == []


@pytest.fixture
def priced(transactional_db: None) -> tuple[PricePlan, Series]:
    """The default plan, six free and then 60 coins, and a series that it prices."""
    plan, _ = PricePlan.objects.get_or_create(
        is_default=True, defaults={"name": "Standard", "created_at": SINCE}
    )
    price_versions.add(
        plan=plan,
        effective_from=SINCE,
        free_count=6,
        base_price_coins=60,
        overrides={},
        now=SINCE,
    )
    series = SeriesFactory(title="The Hazards of <b>Helen</b>")
    for number in range(1, EPISODES + 1):
        EpisodeFactory(series=series, number=number)
    return plan, series


@pytest.fixture
def dana(transactional_db: None) -> User:
    roles.write()
    made = operators.create(username="dana", password=PASSWORD, secret=SECRET, roles=["pricing"])
    return made.user


@pytest.fixture
def erin(dana: User) -> User:
    """A second person, who prices too."""
    made = operators.create(username="erin", password=PASSWORD, secret=SECRET, roles=["pricing"])
    return made.user


def sign_in(page: Page, live_server: LiveServer, user: User) -> None:
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("six digits")).to_be_visible()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("wrong, or was used before")).to_be_visible()
    page.wait_for_timeout(1100)  # the pause after one wrong code is a second
    page.get_by_label("Code").fill(code_of(user))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()


def leave(page: Page, live_server: LiveServer) -> None:
    """Signs out, for somebody else to sign in."""
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/admin/")
    expect(page.get_by_label("Username")).to_be_visible()


def asked(live_server: LiveServer, series: Series, device: Device) -> dict[int, int]:
    """Episode → price in coins, as the API's paywall asks a viewer now."""
    answer = httpx.get(
        f"{live_server.url}/v1/series/{series.id}/paywall",
        headers=viewer_headers(device, now=clock.read()),
    )
    assert answer.status_code == 200, answer.text
    return {one["number"]: one["price_coins"] for one in answer.json()["episodes"]}


def test_a_price_is_drafted_looked_at_agreed_to_and_rolled_back(
    page: Page,
    live_server: LiveServer,
    priced: tuple[PricePlan, Series],
    dana: User,
    erin: User,
) -> None:
    _, series = priced
    device = DeviceFactory()
    before = asked(live_server, series, device)
    assert before == {number: 0 if number <= 6 else 60 for number in range(1, EPISODES + 1)}

    sign_in(page, live_server, dana)
    page.get_by_role("link", name="Price changes").click()
    page.get_by_role("link", name="Add price change").first.click()
    page.get_by_role("link", name="New prices for a plan").click()
    page.get_by_label("Name of this change").fill("Spring prices")
    page.get_by_label("Free episodes").first.fill("4")
    page.get_by_label("Price of every further episode").fill("100")
    page.get_by_label("Rising from").fill("15: 110")
    page.get_by_label("Prices of single episodes").fill("10: 120\n19-20: 0")
    page.get_by_role("button", name="Draft it and look").click()

    expect(page.get_by_text("Drafted. Nothing has changed yet")).to_be_visible()
    expect(page.locator("#reach")).to_contain_text("Titles that change")
    shown = {
        int(cell.get_attribute("data-number") or 0): int(cell.get_attribute("data-after") or -1)
        for cell in page.locator(".ch-ladder li").all()
    }
    assert asked(live_server, series, device) == before
    page.get_by_text("Ask for it", exact=True).click()
    page.get_by_role("button", name="Yes, ask for it").click()
    expect(page.get_by_text("Nothing changes until a second person has agreed")).to_be_visible()
    expect(page.get_by_text("somebody else has to agree")).to_be_visible()
    expect(page.get_by_text("Agree", exact=True)).to_have_count(0)
    assert asked(live_server, series, device) == before

    leave(page, live_server)
    sign_in(page, live_server, erin)
    expect(page.get_by_text("your word is needed")).to_be_visible()
    page.get_by_role("link", name="Spring prices").first.click()
    page.get_by_label("Note").fill("As we said on Monday")
    page.get_by_text("Agree", exact=True).click()
    page.get_by_role("button", name="Yes, I agree").click()
    expect(page.get_by_text("In force for 1 title.")).to_be_visible()
    assert asked(live_server, series, device) == shown
    assert shown[5] == 100
    assert shown[10] == 120
    assert shown[20] == 0
    change = PriceChange.objects.get()
    assert (change.asked_by, change.decided_by) == (dana, erin)

    page.get_by_text("Roll back", exact=True).click()
    page.get_by_role("button", name="Yes, roll back").click()
    expect(page.get_by_text("Rolled back: from now on")).to_be_visible()
    assert asked(live_server, series, device) == before


def test_titles_are_chosen_by_a_filter_with_their_number(
    page: Page, live_server: LiveServer, priced: tuple[PricePlan, Series], dana: User
) -> None:
    _, series = priced
    sign_in(page, live_server, dana)
    page.goto(f"{live_server.url}/admin/payments/pricechange/new/promotion/")
    page.get_by_label("Name of this change").fill("Easter")
    page.get_by_label("% off").fill("25")
    page.locator("#id_ends_at_0").fill("2099-01-01")
    page.locator("#id_ends_at_1").fill("12:00")
    page.get_by_label("Words").fill("helen")
    page.get_by_role("button", name="Count titles").click()
    expect(page.locator(".ch-found")).to_contain_text("1 title")
    expect(page.locator(".ch-found")).to_contain_text("The Hazards of <b>Helen</b>")
    page.get_by_role("button", name="Draft it for 1 title").click()
    page.get_by_text("Put in force", exact=True).click()
    page.get_by_role("button", name="Yes, put in force").click()
    expect(page.get_by_text("In force for 1 title.")).to_be_visible()
    assert asked(live_server, series, DeviceFactory())[7] == 45
