"""Promise P16 at length: of all changes to a playback token, none plays."""

import base64
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pytest_django.fixtures import Settings

from catalog import playback
from catalog.playback import Grant, PlaybackRefused
from config import keyring, seals
from tests.proof import Proof

MUTATIONS = 500_000
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ %\x00"
EXPIRES_AT = datetime(2026, 3, 14, 12, 5, tzinfo=UTC)
BEFORE = EXPIRES_AT - timedelta(minutes=1)


def _grant(dice: random.Random) -> Grant:
    return Grant(
        viewer_id=UUID(int=dice.getrandbits(128)),
        episode_id=UUID(int=dice.getrandbits(128)),
        version_id=UUID(int=dice.getrandbits(128)),
        storage_key=f"videos/{dice.getrandbits(192):048x}.mp4",
        expires_at=EXPIRES_AT,
    )


def _change_character(token: str, dice: random.Random) -> str:
    index = dice.randrange(len(token))
    return token[:index] + dice.choice(ALPHABET) + token[index + 1 :]


def _drop_or_add(token: str, dice: random.Random) -> str:
    index = dice.randrange(len(token))
    if dice.random() < 0.5:
        return token[:index] + token[index + 1 :]
    return token[:index] + dice.choice(ALPHABET) + token[index:]


def _flip_bits(token: str, dice: random.Random) -> str:
    payload, key_id, mac = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    raw[dice.randrange(len(raw))] ^= dice.randrange(1, 256)
    return f"{base64.urlsafe_b64encode(raw).decode().rstrip('=')}.{key_id}.{mac}"


def _borrow_signature(token: str, dice: random.Random) -> str:
    """Another grant under this token's signature: another viewer, episode, version or file."""
    _, key_id, mac = token.split(".")
    return f"{playback.sealed(_grant(dice)).split('.')[0]}.{key_id}.{mac}"


def _confuse_keys(token: str, dice: random.Random) -> str:
    payload, key_id, mac = token.split(".")
    return f"{payload}.{'two' if key_id == 'one' else 'one'}.{mac}"


def _confuse_purposes(token: str, dice: random.Random) -> str:
    purpose = dice.choice(["quote", "access", "clock"])
    return seals.seal(purpose, seals.unseal(playback.PURPOSE, token))


def _cut(token: str, dice: random.Random) -> str:
    return token[: dice.randrange(len(token))]


CHANGES: list[Callable[[str, random.Random], str]] = [
    _change_character,
    _drop_or_add,
    _flip_bits,
    _borrow_signature,
    _confuse_keys,
    _confuse_purposes,
    _cut,
]


def _is_accepted(token: str, now: datetime) -> bool:
    try:
        playback.verify(token, now=now)
    except PlaybackRefused:
        return False
    return True


def test_no_mutation_of_a_token_plays(proof: Proof, settings: Settings) -> None:
    settings.KEYRING = f"{keyring.generate('one')},{keyring.generate('two')}"
    dice = random.Random(proof.seed)  # noqa: S311
    accepted, token = [], ""
    for attempt in range(proof.rounds(full=MUTATIONS)):
        if attempt % 100 == 0:
            token = playback.sealed(_grant(dice))
            assert _is_accepted(token, BEFORE)
            assert not _is_accepted(token, EXPIRES_AT)
        mutant = dice.choice(CHANGES)(token, dice)
        if mutant != token and _is_accepted(mutant, BEFORE):
            accepted.append(mutant)

    proof.record("P16", "mutations of playback tokens", violations=len(accepted))
    assert accepted == []
