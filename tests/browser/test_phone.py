"""The phone in the browser buys in every store, sees to its subscriptions and restores them on another phone."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from config import clock
from demo import reference_data
from demo.phone.server import Phone
from demo.stores.addresses import Addresses
from payments import tasks
from tests.demo.stores import quarter

pytestmark = [pytest.mark.matrix(3), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def at(live_server: LiveServer, tmp_path: Path) -> Iterator[Addresses]:
    reference_data.load(now=clock.read())
    with quarter.selling(tmp_path, backend=live_server.url) as at:
        yield at


@pytest.fixture
def page(at: Addresses, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The phone, in whose page no script may fail."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium on PATH (Debian: apt-get install chromium)")
    # Playwright runs an event loop in this thread, which Django takes for asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    phone = Phone(at)
    threading.Thread(target=phone.serve, args=[at.phone], daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1360, "height": 900})
        page.set_default_timeout(20_000)
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{at.url('phone')}/")
        settled(page)
        yield page
        browser.close()
        # Under a running loop this thread has database connections of its own.
        connections.close_all()
    phone.close()
    assert failures == []


def settled(page: Page) -> None:
    """What was pressed is done: the buttons may be pressed again."""
    expect(page.locator("button[data-store=apple]")).to_be_enabled(timeout=20_000)


def press(page: Page, name: str, *, within: str = "main") -> None:
    page.locator(within).get_by_role("button", name=name, exact=True).first.click()


def choose(page: Page, store: str) -> None:
    press(page, store)
    expect(page.get_by_role("button", name=store, exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    settled(page)


def buy(page: Page, title: str, *, button: str = "Buy") -> None:
    page.locator("main li").filter(has_text=title).get_by_role(
        "button", name=button, exact=True
    ).click()


def test_coins_are_bought_in_every_store(page: Page) -> None:
    for number, store in enumerate(("App Store", "Google Play", "Fake store"), 1):
        choose(page, store)
        buy(page, "500 coins")
        expect(page.locator("#balance")).to_have_text(str(500 * number))
        settled(page)
    choose(page, "Stripe")
    buy(page, "500 coins")
    expect(page.get_by_role("heading", name="Checkout")).to_be_visible()
    press(page, "Decline", within="body")
    expect(page.get_by_text("Your card was declined.")).to_be_visible()
    press(page, "Pay", within="body")
    expect(page.locator("#balance")).to_have_text("2000")
    expect(page.locator("#note")).to_contain_text("500 coins")


def test_a_subscription_is_seen_to_and_goes_on_on_another_phone(page: Page) -> None:
    choose(page, "App Store")
    buy(page, "renewed every week", button="Subscribe")
    mine = page.locator("#subscriptions")
    expect(mine).to_contain_text("App Store · active")
    expect(page.locator("#balance")).to_have_text("100")
    settled(page)

    choose(page, "Stripe")
    buy(page, "renewed every month", button="Subscribe")
    press(page, "Pay", within="body")
    expect(mine).to_contain_text("Stripe · active")
    settled(page)
    press(page, "Manage", within="#subscriptions")
    expect(page.get_by_role("heading", name="Your subscriptions")).to_be_visible()
    press(page, "Cancel", within="body")
    page.get_by_role("link", name="Back").click()
    settled(page)
    tasks.settle_messages()
    page.reload()
    expect(mine).to_contain_text("Stripe · cancelled")
    settled(page)

    press(page, "Another phone, the same store account")
    expect(page.locator("#balance")).to_have_text("0")
    settled(page)
    press(page, "Restore purchases")
    expect(page.locator("#note")).to_contain_text("App Store: anothers, can be transferred")
    settled(page)
    page.get_by_label("also what another viewer has").check()
    press(page, "Restore purchases")
    expect(page.locator("#note")).to_contain_text("Stripe: transferred")
    expect(mine).to_contain_text("App Store · active")
