"""The arm of a viewer is a number that anybody can compute, and the same one for good."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from viewers.experiments import hashing
from viewers.experiments.definitions import ArmDefinition, Definition
from viewers.models.experiments import WHOLE

#: Never to be changed: they are the viewers of experiments that run.
GOLDEN = json.loads((Path(__file__).parent / "golden_arms.json").read_text(encoding="utf-8"))
START = datetime(2026, 3, 14, tzinfo=UTC)
SHARES = {"control": 333_334, "five": 333_333, "ten": 333_333}

shares = st.lists(st.integers(0, 400_000), min_size=1, max_size=8)


def definition(**given: Any) -> Definition:
    terms: dict[str, Any] = {
        "id": UUID(int=1),
        "code": "free-count",
        "varies": "free_count",
        "salt": "salt",
        "arms": tuple(
            ArmDefinition(UUID(int=place), code, share, is_control=code == "control")
            for place, (code, share) in enumerate(SHARES.items())
        ),
        "layer_salt": "layer",
        "layer_holdout": 0,
        "global_holdout": 0,
        "slice_from": 0,
        "slice_to": WHOLE,
        "new_viewers_only": False,
        "starts_at": START,
    }
    return Definition(**terms | given)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: row["viewer"])
def test_a_viewer_stays_where_earlier_releases_have_put_them(row: dict[str, Any]) -> None:
    viewer_id = UUID(row["viewer"])

    assert hashing.part_of(row["salt"], viewer_id) == row["part"]
    arm = definition(salt=row["salt"]).arm_of(viewer_id, created_at=START)
    assert arm is not None
    assert arm.code == row["arm"]


@given(salt=st.text(max_size=40), viewer_id=st.uuids(), shares=shares)
def test_the_boundaries_are_exactly_where_they_are_written(
    salt: str, viewer_id: UUID, shares: list[int]
) -> None:
    digest = sha256(f"{salt}:{viewer_id}".encode()).hexdigest()
    place = Fraction(int(digest[:16], 16), 2**64)
    ends = [Fraction(sum(shares[: n + 1]), WHOLE) for n in range(len(shares))]
    expected = next((n for n, end in enumerate(ends) if place < end), None)

    assert hashing.chosen(salt, viewer_id, shares) == expected


def test_the_database_computes_the_same(db: None) -> None:
    """Whoever counts in SQL need not ask the service."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (('x' || substr(encode(sha256(convert_to(row ->> 'salt' || ':' ||"
            " (row ->> 'viewer'), 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint::numeric"
            " + CASE WHEN substr(encode(sha256(convert_to(row ->> 'salt' || ':' ||"
            " (row ->> 'viewer'), 'UTF8')), 'hex'), 1, 1) >= '8' THEN 18446744073709551616"
            " ELSE 0 END) * 1000000"
            " FROM jsonb_array_elements(%s::jsonb) AS row",
            [json.dumps(GOLDEN)],
        )
        found = [int(place) // 2**64 for (place,) in cursor.fetchall()]

    assert found == [row["part"] for row in GOLDEN]


def test_slices_and_holdouts_are_of_the_layer_and_arms_of_the_experiment() -> None:
    viewers = [UUID(int=number) for number in range(2_000)]
    whole = definition()
    sliced = definition(slice_from=200_000, slice_to=500_000, global_holdout=100_000)
    for viewer_id in viewers:
        place = hashing.part_of("layer", viewer_id)
        is_held_out = hashing.part_of(hashing.GLOBAL_SALT, viewer_id) < 100_000
        arm = sliced.arm_of(viewer_id, created_at=START)
        if 200_000 <= place < 500_000 and not is_held_out:
            assert arm == whole.arm_of(viewer_id, created_at=START)
        else:
            assert arm is None


def test_the_holdout_of_a_layer_is_in_no_slice_of_it() -> None:
    held = definition(layer_holdout=300_000)
    for number in range(1_000):
        viewer_id = UUID(int=number)
        is_in = held.arm_of(viewer_id, created_at=START) is not None
        assert is_in == (hashing.part_of("layer", viewer_id) >= 300_000)


@pytest.mark.parametrize(
    ("created_at", "is_in"), [(START, True), (datetime(2026, 3, 13, 23, 59, tzinfo=UTC), False)]
)
def test_new_viewers_are_those_who_came_from_its_start_on(
    created_at: datetime, is_in: bool
) -> None:
    only_new = definition(new_viewers_only=True)

    assert (only_new.arm_of(UUID(int=5), created_at=created_at) is not None) == is_in
