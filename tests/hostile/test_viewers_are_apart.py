"""What one viewer has, no other viewer reads, spends or plays, whatever they bring along."""

from collections.abc import Collection
from typing import Any

import pytest
from django.test import Client

from payments.models import Entitlement, Purchase, Transfer, Unlock, Wallet
from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import FREE, LOCKED, World, calls
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.hostile.sending import OURS, address, everything, send
from tests.rows import naming
from viewers.models import Device, Environment, RefreshToken

FOR_VIEWERS = [op for op in document.operations() if op.credential == "viewerToken"]


@pytest.fixture
def other(db: None) -> Device:
    """Another viewer, who has nothing."""
    return DeviceFactory()


@pytest.fixture
def rich(world: World, stranger: Client) -> World:
    """The world, in which its viewer has bought coins and unlocked an episode."""
    for name in ("post_submit_transaction", "post_create_intent", "post_unlock_episode"):
        operation = document.named(name)
        call = calls(world, name)[0]
        body, content_type = call.wire()
        response = send(
            stranger,
            operation,
            address(operation, call.path),
            body=body,
            content_type=content_type,
            headers=world.headers("viewerToken"),
        )
        assert response.status_code == call.status
    return world


def _secrets(world: World) -> dict[str, str]:
    """What tells of the world's viewer, or leads to what is theirs."""
    viewer_id = world.viewer.viewer_id
    found = {"viewer": viewer_id, "device": world.viewer.id, "install": world.viewer.install_id}
    mine: list[tuple[str, Any]] = [
        ("purchase", Purchase.objects.filter(viewer_id=viewer_id)),
        ("transfer", Transfer.objects.filter(viewer_id=viewer_id)),
        ("unlock", Unlock.objects.filter(viewer_id=viewer_id)),
        ("entitlement", Entitlement.objects.filter(viewer_id=viewer_id)),
        ("refresh token", RefreshToken.objects.filter(viewer_id=viewer_id)),
    ]
    for name, rows in mine:
        found |= {f"{name} {row.pk}": row.pk for row in rows}
    stores = Purchase.objects.filter(viewer_id=viewer_id)
    found |= {f"store's id {row.pk}": row.transaction_id for row in stores}
    assert {name.split()[0] for name in found} >= {"purchase", "transfer", "entitlement", "unlock"}
    return {name: str(value) for name, value in found.items()}


def _post(client: Client, url: str, body: object, headers: dict[str, str]) -> Any:
    return client.post(url, body, "application/json", headers=headers)


@pytest.mark.matrix(2)
@pytest.mark.parametrize("operation", FOR_VIEWERS, ids=str)
def test_tells_another_viewer_nothing_of_the_first(
    operation: Operation, rich: World, other: Device, stranger: Client
) -> None:
    secrets = _secrets(rich)
    call = calls(rich, operation.name)[0]
    body, content_type = call.wire()

    response = send(
        stranger,
        operation,
        address(operation, call.path, call.query),
        body=body,
        content_type=content_type,
        headers=viewer_headers(other, now=rich.now),
    )

    assert [name for name, secret in secrets.items() if secret in response.text] == []


#: What another has bought is credited to them, whoever hands it in.
FOR_ITS_OWNER = frozenset({"post_submit_transaction", "post_restore_purchases"})


@pytest.mark.parametrize(
    "operation", [one for one in FOR_VIEWERS if one.name not in FOR_ITS_OWNER], ids=str
)
def test_leaves_what_the_first_has_as_it_was(
    operation: Operation, rich: World, other: Device, stranger: Client
) -> None:
    fund(other.viewer_id, now=rich.now, paid=1000)
    call = calls(rich, operation.name)[0]
    body, content_type = call.wire()
    before = _rows_of_viewer(rich)

    for path in (call.path, {name: str(rich.episodes[LOCKED + 1]) for name in call.path}):
        send(
            stranger,
            operation,
            address(operation, path, call.query),
            body=body,
            content_type=content_type,
            headers=viewer_headers(other, now=rich.now),
        )

    assert _rows_of_viewer(rich) == before


def _rows_of_viewer(world: World) -> Collection[tuple[str, str]]:
    """The rows that name the world's viewer or the wallet of theirs."""
    viewer_id = world.viewer.viewer_id
    wallets = Wallet.objects.filter(viewer_id=viewer_id).values_list("id", flat=True)
    found = naming(OURS, [str(one) for one in (viewer_id, *wallets)])
    assert found
    return found


def test_shows_another_viewer_an_empty_wallet_and_locked_episodes(
    rich: World, other: Device, stranger: Client
) -> None:
    headers = viewer_headers(other, now=rich.now)
    wallet = stranger.get("/v1/me/wallet", headers=headers).json()
    entries = stranger.get("/v1/me/wallet/entries", headers=headers).json()
    shown = stranger.get(f"/v1/series/{rich.series.id}/paywall", headers=headers).json()

    assert wallet["balance"] == {"coins": 0, "paid_coins": 0, "bonus_coins": 0}
    assert entries == {"entries": [], "next_cursor": None}
    states = [episode["state"] for episode in shown["episodes"]]
    assert states == ["free", *["locked"] * (len(rich.episodes) - 1)]


def test_shows_nothing_across_environments(rich: World, stranger: Client) -> None:
    rich.viewer.viewer.environment = Environment.SANDBOX
    headers = viewer_headers(rich.viewer, now=rich.now)
    wallet = stranger.get("/v1/me/wallet", headers=headers).json()
    entries = stranger.get("/v1/me/wallet/entries", headers=headers).json()
    play = stranger.post(f"/v1/episodes/{rich.episodes[LOCKED]}/play", headers=headers)

    assert (wallet["environment"], wallet["balance"]["coins"]) == ("sandbox", 0)
    assert entries["entries"] == []
    assert (play.status_code, play.json()["code"]) == (402, "episode_locked")


def test_pages_only_through_ones_own_statement(
    rich: World, other: Device, stranger: Client
) -> None:
    fund(other.viewer_id, now=rich.now)
    own = viewer_headers(rich.viewer, now=rich.now)
    cursor = stranger.get("/v1/me/wallet/entries?limit=1", headers=own).json()["next_cursor"]
    headers = viewer_headers(other, now=rich.now)
    page = stranger.get(f"/v1/me/wallet/entries?cursor={cursor}", headers=headers)

    mine = {str(row.pk) for row in Transfer.objects.filter(viewer_id=other.viewer_id)}
    assert page.status_code == 200
    assert {entry["transfer_id"] for entry in page.json()["entries"]} <= mine


@pytest.mark.parametrize(
    ("attempt", "status", "code"),
    [
        ("quote", 409, "quote_invalid"),
        ("entitlement", 402, "episode_locked"),
    ],
)
def test_refuses_another_viewers(
    attempt: str, status: int, code: str, rich: World, other: Device, stranger: Client
) -> None:
    headers = viewer_headers(other, now=rich.now)
    fund(other.viewer_id, now=rich.now)
    episode = f"/v1/episodes/{rich.episodes[LOCKED]}"
    url, body = {
        "quote": (f"{episode}/unlock", {"quote": rich.quote}),
        "entitlement": (f"{episode}/play", None),
    }[attempt]
    before = everything()

    response = _post(stranger, url, body, headers) if body else stranger.post(url, headers=headers)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert everything() == before


@pytest.mark.parametrize("name", sorted(FOR_ITS_OWNER))
def test_credits_what_the_first_bought_to_them_and_nothing_to_who_hands_it_in(
    name: str, rich: World, other: Device, stranger: Client
) -> None:
    operation, call = document.named(name), calls(rich, name)[0]
    body, content_type = call.wire()
    before = Purchase.objects.count()

    answer = send(
        stranger,
        operation,
        address(operation, call.path),
        body=body,
        content_type=content_type,
        headers=viewer_headers(other, now=rich.now),
    )

    assert Purchase.objects.count() == before + 1
    assert Purchase.objects.latest("id").viewer_id == rich.viewer.viewer_id
    assert not Wallet.objects.filter(viewer_id=other.viewer_id).exists()
    assert str(rich.viewer.viewer_id) not in answer.text


def test_plays_no_url_that_another_viewer_was_given(
    rich: World, other: Device, stranger: Client
) -> None:
    own, headers = (viewer_headers(device, now=rich.now) for device in (rich.viewer, other))
    for number in (FREE, LOCKED):
        url = stranger.post(f"/v1/episodes/{rich.episodes[number]}/play", headers=own)
        path = url.json()["playback"]["url"]

        assert b"".join(stranger.get(path, headers=own)) != b""
        response = stranger.get(path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "playback_refused")


def test_answers_another_viewer_under_the_same_idempotency_key_anew(
    rich: World, other: Device, stranger: Client
) -> None:
    key = {"Idempotency-Key": "one-key"}
    own, headers = (viewer_headers(device, now=rich.now) | key for device in (rich.viewer, other))
    url = f"/v1/episodes/{rich.episodes[LOCKED + 1]}/unlock"
    first = _post(stranger, url, {"quote": rich.quote}, own)
    paywall = f"/v1/series/{rich.series.id}/paywall"
    quote = stranger.get(paywall, headers=viewer_headers(other, now=rich.now)).json()["quote"]

    second = _post(stranger, url, {"quote": quote}, headers)

    assert (first.status_code, first.json()["outcome"]) == (200, "unlocked")
    assert (second.status_code, second.json()["code"]) == (402, "insufficient_coins")
    assert "Idempotent-Replayed" not in second.headers
