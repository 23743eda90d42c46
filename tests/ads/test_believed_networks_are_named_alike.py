"""The networks whose apps are believed are the same wherever they are named, or one of them would have no narrow cap."""

import re
from collections.abc import Collection

from django.db import IntegrityError, connection, transaction

from ads.models import Network
from ads.models.placements import MAXIMUM_PROVISIONAL_CAP, PROVISIONAL
from ads.networks import provisional
from payments.ledger import verification
from tests.factories.ads import PlacementFactory
from tests.factories.payments import as_owner

RULE = "no viewer is believed more than three ads a day"


def _told(where: str, named: Collection[str]) -> str:
    return (
        f"{where} has {sorted(named)}, ads/networks/provisional.py {sorted(provisional.NAMES)}:"
        " docs/ads/README.md says what a network that calls nobody is added to"
    )


def _believed() -> set[str]:
    """What the function in the database says of every network."""
    names = sorted({*Network.values, *provisional.NAMES})
    with as_owner() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE ads_is_believed(name)", [names]
        )
        return {name for (name,) in cursor.fetchall()}


def test_the_models_name_them() -> None:
    named = {network.value for network in PROVISIONAL}

    assert named == provisional.NAMES, _told("ads.models.placements.PROVISIONAL", named)


def test_the_function_that_counts_their_caps_names_them(db: None) -> None:
    named = _believed()

    assert named == provisional.NAMES, _told("ads_is_believed (ads/sql/session_0002.sql)", named)


def test_the_rule_that_is_added_up_by_night_names_them() -> None:
    rule = verification.rules()[RULE]
    named = set(re.findall(r"'([a-z_]+)'", rule))

    assert "ads_is_believed(network)" in rule or named == provisional.NAMES, _told(
        f"“{RULE}” (ads/sql/verify_rewards.sql)", named
    )


def _takes_a_wide_cap(network: str) -> bool:
    wide = {"daily_cap": MAXIMUM_PROVISIONAL_CAP + 1, "cooldown_seconds": 300}
    try:
        with transaction.atomic():
            PlacementFactory(network=network, **wide)
    except IntegrityError as refusal:
        return "ads_placement_provisional" not in str(refusal)
    return True


def test_the_database_takes_none_of_them_with_a_wide_cap(db: None) -> None:
    named = {network for network in provisional.NAMES if not _takes_a_wide_cap(network)}

    assert named == provisional.NAMES, _told("the constraint ads_placement_provisional", named)


def test_their_cap_is_the_same_everywhere(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'ads_reward_session'")
        (settling,) = cursor.fetchone()

    found = {
        *re.findall(r"least\(v_placement\.daily_cap, (\d+)\)", settling),
        *re.findall(r"count\(\*\) > (\d+)", verification.rules()[RULE]),
    }
    assert found == {str(MAXIMUM_PROVISIONAL_CAP)}
