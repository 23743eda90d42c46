"""`make screenshots`: the pages of a running demo as pictures under docs/screenshots."""

import io
import os
import secrets
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser import desk_pictures

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "screenshots"
WIDTH, HEIGHT = 1360, 900
#: The whole of the phone.
PHONE_HEIGHT = 1340
SETTLE_MS = 1_500
COLOURS = 256
COLLEAGUE = "erin"

#: Picture → (address, how much of the page).
PAGES = {
    "today": ("/admin/", "whole"),
    "placements": ("/admin/ads/placement/", "top"),
    "callbacks": ("/admin/ads/callback/", "top"),
    "inbox": ("/admin/analytics/eventbatch/", "top"),
    "quarantine": ("/admin/analytics/quarantinedevent/", "top"),
    "feed-decisions": ("/admin/catalog/feeddecision/", "top"),
    "api": ("/docs", "top"),
}


def main(url: str) -> None:
    """Signs in as the demo's owner and takes every picture."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        _sign_in(page, url, _owner())
        for name, (address, extent) in PAGES.items():
            page.goto(url + address)
            page.wait_for_timeout(SETTLE_MS)
            _keep(name, page.screenshot(full_page=extent == "whole"))
        colleague = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        _sign_in(colleague, url, _colleague())
        desk_pictures.take(page, colleague, url, _picture)
        _take_phone(browser.new_page(viewport={"width": WIDTH, "height": PHONE_HEIGHT}))
        browser.close()


def _take_phone(page: Page) -> None:
    """The phone in the browser, which has bought coins and subscribed."""
    from django.conf import settings

    from demo.stores import addresses

    at = addresses.read(settings.DATA_DIR)
    if at is None:
        return
    page.goto(f"{at.url('phone')}/")
    for title, button in (("500 coins", "Buy"), ("renewed every week", "Subscribe")):
        page.locator("button[data-store=google]:enabled").click()
        row = page.locator("main li").filter(has_text=title)
        row.get_by_role("button", name=button).locator("visible=true").click()
        page.wait_for_timeout(2 * SETTLE_MS)
    _keep("phone", page.screenshot())


def _picture(page: Page, name: str, is_whole: bool) -> None:
    if is_whole:
        # What sticks to the window's edges would be in the middle of a picture longer than it.
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": WIDTH, "height": max(height, HEIGHT)})
    page.wait_for_timeout(desk_pictures.SETTLE_MS)
    _keep(name, page.screenshot())
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def _sign_in(page: Page, url: str, operator: tuple[str, str, str]) -> None:
    username, password, code = operator
    page.goto(f"{url}/admin/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Today").wait_for()


def _owner() -> tuple[str, str, str]:
    """The demo's owner: name, password, and a code that is good now."""
    os.environ.setdefault("APP_MODE", "demo")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Playwright runs an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User

    from config import clock
    from config.second_factor import devices
    from demo import credentials

    owner = credentials.owner(settings.DATA_DIR / "secrets")
    user = User.objects.get(username=owner.username)
    return user.username, owner.password or "", devices.current_code(user, at=clock.read())


def _colleague() -> tuple[str, str, str]:
    """A second person who prices, with new credentials each time. Django is set up by then."""
    from django.contrib.auth.models import User

    from config import clock, operators
    from config.second_factor import devices

    user = User.objects.filter(username=COLLEAGUE).first()
    if user is None:
        made = operators.create(username=COLLEAGUE, password=None, secret=None, roles=["pricing"])
        user, password = made.user, made.password
    else:
        password = operators.start_over(user)
        devices.provision(user, secret=secrets.token_bytes(20))
    return user.username, password, devices.current_code(user, at=clock.read())


def _keep(name: str, png: bytes) -> None:
    """As a small file: flat pages need few colours."""
    picture = (
        Image.open(io.BytesIO(png))
        .convert("RGB")
        .quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    picture.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
