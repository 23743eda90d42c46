"""The pictures of the price desk: two operators walk through it in a demo, and take back what they did."""

from collections.abc import Callable

from playwright.sync_api import Page

DESK = "/admin/payments/pricechange/"
SETTLE_MS = 800
CHANGE = "Summer prices"
RULE = "Long serials"

#: Takes a picture of a page as it is: its name, and whether of all of it.
Keep = Callable[[Page, str, bool], None]


def take(asking: Page, deciding: Page, url: str, keep: Keep) -> None:
    """Both are signed in, as two people who price."""
    asking.goto(f"{url}{DESK}add/")
    keep(asking, "price-change-kinds", False)
    change_url = _draft(asking, url, keep)
    asking.get_by_text("Ask for it", exact=True).click()
    asking.get_by_role("button", name="Yes, ask for it").click()
    asking.get_by_text("until a second person has agreed").wait_for()

    deciding.goto(f"{url}/admin/")
    keep(deciding, "price-change-todo", False)
    deciding.goto(change_url)
    deciding.get_by_label("Note").fill("As agreed on Monday")
    deciding.get_by_text("Agree", exact=True).click()
    keep(deciding, "price-change-decide", False)
    deciding.get_by_role("button", name="Yes, I agree").click()
    deciding.get_by_text("In force for").wait_for()
    _others(deciding, url, keep)

    deciding.goto(f"{url}{DESK}")
    keep(deciding, "price-changes", False)
    deciding.goto(change_url)
    deciding.get_by_role("link", name="Its prices over time").click()
    keep(deciding, "title-prices", False)
    deciding.goto(change_url)
    deciding.get_by_text("Roll back", exact=True).click()
    keep(deciding, "price-change-rollback", False)
    deciding.get_by_role("button", name="Yes, roll back").click()
    deciding.get_by_text("Rolled back: from now on").wait_for()


def _draft(page: Page, url: str, keep: Keep) -> str:
    page.goto(f"{url}{DESK}new/plan/")
    page.get_by_label("Name of this change").fill(CHANGE)
    page.get_by_label("Free episodes").first.fill("6")
    page.get_by_label("Price of every further episode").fill("70")
    page.get_by_label("Rising from").fill("12: 80\n15: 90")
    page.get_by_label("The rest at once").fill("75")
    page.locator("[name=variants-0-regions]").fill("BR, MX")
    page.locator("[name=variants-0-percent]").fill("60")
    keep(page, "price-change-form", True)
    page.get_by_role("button", name="Draft it and look").click()
    page.locator("#reach").wait_for()
    keep(page, "price-change-draft", True)
    return page.url


def _others(page: Page, url: str, keep: Keep) -> None:
    page.goto(f"{url}{DESK}new/promotion/")
    page.get_by_label("Name of this change").fill("A weekend at a quarter off")
    page.get_by_label("% off").fill("25")
    page.locator("#id_ends_at_0").fill("2099-01-01")
    page.locator("#id_ends_at_1").fill("12:00")
    page.get_by_role("button", name="Count titles").click()
    page.locator(".ch-found").wait_for()
    keep(page, "promotion", True)
    page.goto(f"{url}{DESK}new/table/")
    page.get_by_label("Name of this change").fill("Prices from the sheet")
    page.get_by_label("Price table").set_input_files(
        {
            "name": "prices.csv",
            "mimeType": "text/csv",
            "buffer": b"external_id,free_count,base_price_coins,steps\n"
            b"no-such-title,8,60,\nfantomas-1913,2,0,\njudex-1916,2,sixty,10-80\n",
        }
    )
    page.get_by_role("button", name="Draft it and look").click()
    page.get_by_text("Line 2").wait_for()
    keep(page, "price-table", True)
    page.goto(f"{url}/admin/payments/planrule/add/")
    page.locator("[name=name]").fill(RULE)
    page.locator("[name=plan]").select_option(index=1)
    page.locator("[name=genre]").fill("no such genre")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("fits none of the published titles").wait_for()
    keep(page, "plan-rule", False)
    page.goto(f"{url}/admin/payments/acquisitionlink/add/")
    keep(page, "links", False)
