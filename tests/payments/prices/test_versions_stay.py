"""A price, once made, is what it was: for operators, for the admin and for the application's role."""

from datetime import datetime
from typing import Any

import pytest
from django.db import ProgrammingError, transaction

from payments.desk import price_versions
from payments.models import EpisodePrice, PricePlan, PriceStep, PriceVersion
from tests.factories.operators import operator, signed_in


@pytest.fixture
def plan(db: None) -> PricePlan:
    return PricePlan.objects.get(is_default=True)


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


@pytest.mark.parametrize("model", [PriceVersion, EpisodePrice, PriceStep])
def test_the_database_refuses_to_change_a_price(plan: PricePlan, now: datetime, model: Any) -> None:
    price_versions.add(
        plan=plan,
        effective_from=now,
        free_count=1,
        base_price_coins=2,
        overrides={3: 4},
        steps={9: 5},
        now=now,
    )
    for change in (lambda rows: rows.update(id=plan.id), lambda rows: rows._raw_delete("default")):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            change(model.objects.all())
