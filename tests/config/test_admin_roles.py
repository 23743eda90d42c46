"""Each role may do what its row in the table says, and nothing more."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from config import roles
from tests.factories.operators import operator, signed_in

pytestmark = pytest.mark.django_db

PRICES = {
    "Price changes",
    "Price plans",
    "Plan rules",
    "Price exceptions",
    "Promotions",
    "Acquisition links",
    "Coin packs",
    "Store terms",
    "Passes",
    "Offers",
    "Paywall placements",
    "Owed to viewers",
}
SEEN = {
    "support": PRICES
    | {
        "Episodes",
        "Media",
        "Series",
        "Access changes",
        "Experiments",
        "Layers",
        "Offer policies",
        "Offer decisions",
        "Wallets",
        "Purchases",
        "Purchase intents",
        "Passes bought",
        "Pass intents",
        "Offer claims",
        "Promo redemptions",
        "Unlocks",
        "Auto-unlock consents",
        "Entitlements",
        "Why may they watch?",
        "Grants",
        "Refunds",
        "Transfers",
        "Entries",
        "Lots",
        "Placements",
        "Ad sessions",
        "Rewards",
        "Callbacks",
        "Parked callbacks",
        "Ad goals",
        "Verifier keys",
        "Impressions",
        "Tasks",
        "Campaigns of tasks",
        "Claims",
        "Referrals",
        "Ad alarms",
        "Viewers",
        "Flags",
        "Feed decisions",
    },
    "analyst": {
        "Inbox health",
        "Quarantined events",
        "Flushes",
        "Lake files",
        "Rollup hours",
        "Rollup differences",
        "Imports of the past",
        "Refused lines",
        "Dashboards",
        "Exports",
        "Days",
        "Digests",
        "Experiments",
        "Layers",
        "Offer policies",
        "Offer decisions",
    },
    "content": PRICES | {"Series", "Episodes", "Media", "Access changes"},
}
STORES = {
    "Store messages",
    "Store calls",
    "Store histories",
    "Subscriptions",
    "Refused claims",
}
BOOKS = {"Differences", "Reconciliations", "Fee adjustments", "Store reports", "Exchange rates"}
PROMOS = {"Promo codes", "Promo batches"}
SEEN["pricing"] = (SEEN["support"] | PROMOS) - {"Viewers", "Flags", "Feed decisions"}
SEEN["finance"] = SEEN["pricing"] | {"Days", "Digests"}
SEEN["finance"] -= {
    "Experiments",
    "Layers",
    "Offer policies",
    "Offer decisions",
    "Episodes",
    "Media",
    "Series",
    "Access changes",
    "Placements",
    "Ad sessions",
    "Rewards",
    "Callbacks",
    "Parked callbacks",
    "Ad goals",
    "Verifier keys",
    "Impressions",
    "Tasks",
    "Campaigns of tasks",
    "Claims",
    "Referrals",
    "Ad alarms",
}
AD_REVENUE = {"Ad revenue", "True-ups", "Ad reports", "Fetched ad reports"}
SEEN["support"] |= STORES | {"Quarantined events"}
SEEN["finance"] |= STORES | BOOKS | AD_REVENUE
SEEN["pricing"] |= AD_REVENUE
SEEN["analyst"] |= AD_REVENUE
SEEN["owner"] = (
    SEEN["support"]
    | SEEN["analyst"]
    | BOOKS
    | PROMOS
    | {"API keys", "Operators", "Roles", "Audit trail"}
)


@pytest.fixture(params=list(roles.ROLES))
def role(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def client(role: str) -> Client:
    return signed_in(operator(role=role))


def test_writing_roles_again_changes_nothing_but_what_was_edited() -> None:
    own = Group.objects.create(name="our own")
    own.permissions.set(Permission.objects.filter(codename="view_wallet"))
    roles.write()
    support = Group.objects.get(name="support")
    right = set(support.permissions.values_list("codename", flat=True))
    support.permissions.add(Permission.objects.get(codename="delete_wallet"))

    call_command("create_roles")

    assert set(support.permissions.values_list("codename", flat=True)) == right
    assert [p.codename for p in own.permissions.all()] == ["view_wallet"]
    assert Group.objects.count() == len(roles.ROLES) + 1


def test_a_permission_that_no_model_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "ROLES", {"janitor": [{"payments.broom": ["view"]}]})
    Group.objects.all().delete()
    with pytest.raises(roles.UnknownPermission, match=r"payments\.view_broom"):
        roles.write()
    assert not Group.objects.exists()


@pytest.mark.matrix(3)
def test_a_role_opens_what_the_sidebar_shows_and_no_other_list(client: Client, role: str) -> None:
    allowed = {
        label for part in roles.ROLES[role] for label, actions in part.items() if "view" in actions
    }
    groups = client.get("/admin/").context["sidebar_navigation"]
    items = [item for group in groups for item in group["items"]]
    assert {item["title"] for item in items} == SEEN[role] | {"Today"}

    expected = {item["link"]: 200 for item in items}
    for model in admin.site._registry:
        label = model._meta.label_lower
        url = reverse(f"admin:{label.replace('.', '_')}_changelist")
        expected[url] = 200 if label in allowed else 403
    assert [item["link"] for item in items if expected[item["link"]] != 200] == []
    for url, status in expected.items():
        assert client.get(url).status_code == status, url


def test_only_a_role_that_prices_changes_prices(client: Client, role: str) -> None:
    may = role in {"pricing", "owner"}
    for page in ("pricechange/new/plan", "planrule/add", "acquisitionlink/add"):
        assert client.get(f"/admin/payments/{page}/").status_code == (200 if may else 403), page
    assert client.get("/admin/payments/coinpack/add/").status_code == (200 if may else 403)


def test_a_built_in_role_is_not_edited_by_hand() -> None:
    roles.write()
    client = signed_in(operator("root", is_superuser=True))
    support = Group.objects.get(name="support")
    page = f"/admin/auth/group/{support.id}"
    assert client.get(f"{page}/change/").status_code == 200
    assert client.post(f"{page}/change/", {"name": "hacked"}).status_code == 403
    assert client.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    own = Group.objects.create(name="our own")
    assert client.post(f"/admin/auth/group/{own.id}/change/", {"name": "ours"}).status_code == 302
