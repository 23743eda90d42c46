"""A claim of the app's, for a network that calls nobody: our own ticket, and no sooner than an ad ends."""

from datetime import timedelta

import pytest

from ads.networks.base import Fault, NetworkError, SignedReward
from ads.networks.provisional import SHORTEST_AD_SECONDS, ProvisionalAdapter
from tests.ads.networks.cases import NOW, OTHERS_SESSION, OTHERS_VIEWER, SESSION, VIEWER

ADAPTER = ProvisionalAdapter(network="douyin", seal_keys=["new", "old"])
UNIT = "app/1f2e3d4c5b6a"


def claim(adapter: ProvisionalAdapter = ADAPTER, *, ad_unit: str = UNIT, **given: str) -> str:
    """The claim for an ad that was announced now."""
    session, viewer = given.get("session", SESSION), given.get("viewer", VIEWER)
    ticket = adapter.hand_over(session=session, viewer=viewer, ad_unit_id=UNIT, now=NOW)
    return f"ad_unit={ad_unit}&custom_data={ticket.custom_data}&user_id={viewer}"


def read(query: str, *, after_seconds: float = 60) -> SignedReward:
    return ADAPTER.verify(query, {}, now=NOW + timedelta(seconds=after_seconds))


def test_reads_its_own_ticket() -> None:
    assert read(claim()) == SignedReward(
        transaction_id=SESSION,
        ad_unit="1f2e3d4c5b6a",
        custom_data=SESSION,
        user_id=VIEWER,
        is_probe=False,
    )
    assert not ADAPTER.conduct.is_proof


def test_a_session_is_one_view_however_often_it_is_announced() -> None:
    later = ADAPTER.hand_over(
        session=SESSION, viewer=VIEWER, ad_unit_id=UNIT, now=NOW + timedelta(seconds=5)
    )
    again = f"ad_unit={UNIT}&custom_data={later.custom_data}&user_id={VIEWER}"

    assert again != claim()
    assert read(again).transaction_id == read(claim()).transaction_id


@pytest.mark.parametrize(
    ("after_seconds", "is_believed"),
    [(-60, False), (0, False), (SHORTEST_AD_SECONDS - 0.001, False), (SHORTEST_AD_SECONDS, True)],
)
def test_is_not_believed_sooner_than_an_ad_can_end(after_seconds: float, is_believed: bool) -> None:
    if is_believed:
        assert read(claim(), after_seconds=after_seconds)
        return
    with pytest.raises(NetworkError) as refused:
        read(claim(), after_seconds=after_seconds)

    assert refused.value.fault is Fault.IMPLAUSIBLE


def test_no_ticket_serves_another_viewer_session_unit_or_network() -> None:
    mine = claim()
    for forged in (
        mine.replace(VIEWER, OTHERS_VIEWER),
        mine.replace(SESSION, OTHERS_SESSION),
        claim(ad_unit="app/another"),
        claim(ad_unit="1f2e3d4c5b6a"),
        claim(ProvisionalAdapter(network="other", seal_keys=["new"])),
        claim(ProvisionalAdapter(network="douyin", seal_keys=["stranger's"])),
    ):
        with pytest.raises(NetworkError) as refused:
            read(forged)
        assert refused.value.fault is Fault.FORGED


def test_a_ticket_cannot_be_made_older() -> None:
    begun = f"{int(NOW.timestamp()):08x}"
    earlier = f"{int(NOW.timestamp()) - 3600:08x}"

    with pytest.raises(NetworkError, match="does not match"):
        read(claim().replace(begun, earlier), after_seconds=1)


def test_believes_tickets_of_the_key_before() -> None:
    assert read(claim(ProvisionalAdapter(network="douyin", seal_keys=["old"])))
