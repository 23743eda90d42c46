"""The pages that buyers see, as plain as they can be."""

from collections.abc import Sequence
from html import escape

from demo.stores.messages import Answer
from demo.stores.stripe.shapes import Body

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>
"""


def checkout(session: Body, *, title: str, note: str = "") -> Answer:
    """What is sold, and four buttons."""
    amount = f"{session['amount_total']} {session['currency'].upper()} (smallest units)"
    buttons = _buttons(
        session["url"],
        {"pay": "Pay", "pay_slowly": "Pay by bank", "decline": "Decline", "cancel": "Cancel"},
    )
    return _page("Checkout", f"<p>{escape(note)}</p><p>{escape(title)}: {amount}</p>{buttons}")


def portal(session: Body, subscriptions: Sequence[Body]) -> Answer:
    """A customer's subscriptions, each with a button to cancel it or go on."""
    rows = [
        f"<li>{one['id']}: {one['status']}"
        + _buttons(
            f"{session['url']}/{one['id']}",
            {"resume": "Renew"} if one["cancel_at_period_end"] else {"cancel": "Cancel"},
        )
        + "</li>"
        for one in subscriptions
        if one["status"] != "canceled"
    ]
    back = session["return_url"]
    link = f'<p><a href="{escape(back)}">Back</a></p>' if back else ""
    return _page("Your subscriptions", f"<ul>{''.join(rows)}</ul>{link}")


def closed(note: str) -> Answer:
    """A page with nothing to do on it."""
    return _page("Checkout", f"<p>{escape(note)}</p>")


def redirect(url: str) -> Answer:
    """Onwards, by GET."""
    return Answer(status=303, headers={"Location": url})


def _buttons(address: str, labels: dict[str, str]) -> str:
    return "".join(
        f'<form method="post" action="{escape(address)}/{action}"><button>{label}</button></form>'
        for action, label in labels.items()
    )


def _page(title: str, body: str) -> Answer:
    page = _PAGE.format(title=escape(title), body=body)
    return Answer(body=page.encode(), content_type="text/html; charset=utf-8")
