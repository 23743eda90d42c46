"""Many rows at once are asked for and added as a few would be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError

from config import many_rows
from config.ids import uuid7
from payments.desk import price_versions
from payments.models import PriceAdjustment, PricePlan, PriceStep

pytestmark = pytest.mark.django_db


def add(ids: Sequence[UUID], prices: Sequence[int | None], now: datetime) -> None:
    many_rows.add(
        PriceAdjustment,
        {"id": ids, "free_count": [3 for _ in ids], "price_coins": prices},
        same={"created_at": now},
    )


def test_adds_a_row_for_each_place_with_nothing_where_nothing_is_said(now: datetime) -> None:
    ids = [uuid7(), uuid7()]

    add(ids, [60, None], now)

    rows = PriceAdjustment.objects.in_bulk(ids)
    assert [(rows[one].price_coins, rows[one].free_count) for one in ids] == [(60, 3), (None, 3)]
    assert {row.created_at for row in rows.values()} == {now}
    assert {row.scale_parts_per_million for row in rows.values()} == {None}


def test_the_database_makes_the_ids_that_are_not_given(now: datetime) -> None:
    plan = PricePlan.objects.create(name="Plan", created_at=now)
    version = price_versions.add(
        plan=plan, effective_from=now, free_count=1, base_price_coins=5, now=now
    )

    many_rows.add(
        PriceStep, {"number": [4, 9], "price_coins": [7, 8]}, same={"version": version.id}
    )

    steps = PriceStep.objects.filter(version=version)
    assert {step.number: step.price_coins for step in steps} == {4: 7, 9: 8}
    assert {step.id.version for step in steps} == {7}


def test_more_rows_than_go_at_once_are_all_added(
    now: datetime, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(many_rows, "AT_ONCE", 3)
    ids = [uuid7() for _ in range(7)]

    with django_assert_num_queries(3):
        add(ids, range(1, 8), now)

    rows = PriceAdjustment.objects.in_bulk(ids)
    assert [rows[one].price_coins for one in ids] == list(range(1, 8))


def test_no_rows_ask_nothing(now: datetime, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        add([], [], now)


def test_what_the_database_refuses_of_one_row_it_refuses_of_many(now: datetime) -> None:
    with pytest.raises(IntegrityError, match="payments_priceadjustment_sane"):
        add([uuid7(), uuid7()], [60, 0], now)


def test_finds_the_rows_among_ids_and_none_among_none(now: datetime) -> None:
    ids = [uuid7() for _ in range(5)]
    add(ids, range(1, 6), now)

    found = PriceAdjustment.objects.filter(many_rows.among("id", ids[1:3]))

    assert {row.id for row in found} == set(ids[1:3])
    assert not PriceAdjustment.objects.filter(many_rows.among("id", [])).exists()


def test_looks_the_ids_up_whatever_the_planner_believes_of_the_table(now: datetime) -> None:
    """A join would be a loop in a loop where a table was analysed when it was empty."""
    ids = [uuid7() for _ in range(1_000)]
    plan = PriceAdjustment.objects.filter(many_rows.among("id", ids)).explain()
    assert "= ANY" in plan
    assert "Join" not in plan
    assert "Loop" not in plan
