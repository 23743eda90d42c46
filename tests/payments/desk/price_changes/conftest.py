"""Operators, and a few published titles that cost something."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from catalog.models import Series
from payments.desk.price_changes import approval
from payments.desk.price_changes.contents import Content
from payments.models import PriceChange, PricePlan
from payments.prices import pricing
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.operators import operator
from tests.factories.payments import default_plan
from viewers.models import Device

Draft = Callable[..., PriceChange]


@pytest.fixture
def plan(db: None) -> PricePlan:
    return default_plan()


@pytest.fixture
def dana(plan: PricePlan) -> User:
    return operator("dana", role="pricing")


@pytest.fixture
def erin(plan: PricePlan) -> User:
    return operator("erin", role="pricing")


@pytest.fixture
def titles(plan: PricePlan) -> Sequence[Series]:
    """Three published titles of twelve episodes."""
    made = [SeriesFactory(state="published") for _ in range(3)]
    for series in made:
        episodes_of(series, range(1, 13))
    return made


@pytest.fixture
def draft(dana: User, now: datetime) -> Draft:
    """Drafts a change as dana, now."""

    def made(content: Content, series: Sequence[Series] = (), **given: Any) -> PriceChange:
        terms: dict[str, Any] = {
            "name": "A change",
            "effective_from": None,
            "operator_id": dana.id,
            "now": now,
        }
        return approval.draft(
            content=content, series_ids=[one.id for one in series], **terms | given
        )

    return made


def price_of(series: Series, number: int, at: datetime, device: Device | None = None) -> int:
    """What an episode costs at a moment: a viewer on a device, or nobody in particular."""
    return pricing.price_for(
        viewer_id=device.viewer_id if device else UUID(int=0),
        device_id=device.id if device else None,
        series_id=series.id,
        at=at,
    ).ladder.price_of(number)
