"""An operator changes a price in a real browser: password, code, preview, save."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connections
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from catalog.models import Series
from config import operators, roles
from payments import price_versions, pricing
from payments.models import PricePlan, PriceVersion
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.operators import SECRET, code_of

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


def test_an_operator_previews_a_price_and_saves_it(
    page: Page, live_server: LiveServer, priced: tuple[PricePlan, Series], dana: User
) -> None:
    plan, _ = priced
    versions = PriceVersion.objects.count()
    sign_in(page, live_server, dana)
    page.get_by_role("link", name="Price plans").click()
    page.get_by_role("link", name=plan.name, exact=True).click()
    page.get_by_role("link", name="New version").click()

    page.get_by_label("Free episodes").fill("4")
    page.get_by_label("Price of every further episode").fill("45")
    page.get_by_label("Prices of single episodes").fill("10: 90\n19-20: 0")
    page.locator("#id_series + .select2").click()
    page.keyboard.type("helen haz")
    page.get_by_role("option", name="The Hazards of <b>Helen</b>").click()
    page.get_by_role("button", name="Preview").click()

    expect(page.get_by_role("button", name="Save this version")).to_be_visible()
    shown = {
        int(cell.get_attribute("data-number") or 0): int(cell.get_attribute("data-after") or -1)
        for cell in page.locator(".ch-ladder li").all()
    }
    assert page.locator("#price-runs tbody tr").all_inner_texts() == [
        "1–4\tfree\tfree",
        "5–6\tfree\t45",
        "7–9\t60\t45",
        "10\t60\t90",
        "11–18\t60\t45",
        "19–20\t60\tfree",
    ]
    assert PriceVersion.objects.count() == versions
    page.get_by_role("button", name="Save this version").click()

    expect(page.get_by_text("Saved. Version from")).to_be_visible()
    expect(page.locator("tbody tr", has_text="in force")).to_contain_text("4 free, then 45 coins")
    version = PriceVersion.objects.filter(plan=plan).latest("effective_from")
    ladder = pricing.ladder(version.id)
    assert shown == {number: ladder.price_of(number) for number in range(1, EPISODES + 1)}
    assert version.created_by == dana
