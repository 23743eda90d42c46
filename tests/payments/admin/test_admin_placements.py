"""Operators edit what places in the app show, and whom."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from payments.models import PaywallPlacement, PlacementRule
from tests.factories.operators import operator, signed_in
from tests.factories.payments import PaywallPlacementFactory
from tests.factories.viewers import clock_headers

LIST = "/admin/payments/paywallplacement/"


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator(role="pricing"))


def form(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the page posts for a new placement with these rules."""
    posted: dict[str, Any] = {
        "title": "The paywall",
        "code": "paywall",
        "is_active": "on",
        "config": '{"layout": "sheet"}',
        "rules-TOTAL_FORMS": len(rules),
        "rules-INITIAL_FORMS": 0,
    }
    for place, rule in enumerate(rules):
        said = {
            "position": place,
            "name": f"Rule {place}",
            "is_active": "on",
            "config": "{}",
        } | rule
        posted |= {f"rules-{place}-{name}": value for name, value in said.items()}
    return posted | changes


def complaints(client: Client, posted: dict[str, Any]) -> str:
    answer = client.post(f"{LIST}add/", posted)
    assert answer.status_code == 200
    assert not PaywallPlacement.objects.exists()
    inline = answer.context["inline_admin_formsets"][0].formset
    return f"{answer.context['errors']} {inline.errors} {inline.non_form_errors()}"


def test_makes_a_placement_with_a_rule_for_some_viewers(client: Client, now: datetime) -> None:
    rule = {
        "segments": ["new", "lapsed"],
        "platforms": ["ios"],
        "regions": "br, MX br",
        "config": '{"offers": ["purse"]}',
    }

    answer = client.post(f"{LIST}add/", form(rule), headers=clock_headers(now))

    assert answer.status_code == 302
    made = PlacementRule.objects.get()
    assert (made.segments, made.platforms, made.regions) == (
        ["new", "lapsed"],
        ["ios"],
        ["BR", "MX"],
    )
    assert made.config == {"offers": ["purse"]}
    assert made.placement.created_at == now
    assert client.get(f"{LIST}{made.placement_id}/change/").status_code == 200
    assert b"The paywall" in client.get(LIST).content


@pytest.mark.matrix(3)
@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        (form({}), "fits everybody always"),
        (form({"regions": "Brazil"}), "no country"),
        (form({"regions": "BR"}, {"regions": "MX", "position": 0}), "position"),
        (form(config="[1]"), "Write a JSON object"),
        (form(config='{"offers": "purse"}'), "by their codes"),
        (form(config="{"), "valid JSON"),
        (form(config="[" * 100_000), "valid JSON"),
        (form(config='{"a": NaN}'), "has NUL characters"),
        (form(config=r'{"a": "\u0000"}'), "has NUL characters"),
        (form({"regions": "BR", "config": '{"a": 1e999}'}), "has NUL characters"),
        (form({"regions": "BR", "config": r'{"a": "\ud800"}'}), "has NUL characters"),
        (form({"regions": "BR", "starts_at_0": "2026-03-02", "starts_at_1": "00:00",
               "ends_at_0": "2026-03-01", "ends_at_1": "00:00"}), "ends before it starts"),
    ],
)  # fmt: skip
def test_refuses_with_a_sentence_that_says_what_to_do(
    client: Client, posted: dict[str, Any], sentence: str
) -> None:
    assert sentence in complaints(client, posted)


def test_a_placement_is_switched_off_and_never_deleted(client: Client) -> None:
    placement = PaywallPlacementFactory()

    assert client.post(f"{LIST}{placement.id}/delete/", {"post": "yes"}).status_code == 403


def test_the_list_counts_rules_in_one_query_however_many_placements_there_are(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for place in range(8):
        placement = PaywallPlacementFactory()
        for position in range(place):
            PlacementRule.objects.create(
                placement=placement,
                position=position,
                name="Rule",
                segments=["new"],
                is_active=position > 0,
            )

    with django_assert_max_num_queries(8):
        page = client.get(LIST)

    counts = {row.rules_count for row in page.context["cl"].result_list}
    assert counts == {0, 1, 2, 3, 4, 5, 6}
