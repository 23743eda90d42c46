"""A notification that no store has signed as it stands is refused, whatever is wrong with it: with no 5xx, and
nothing of it is kept.
"""

import base64
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from config import clock
from demo import ports
from demo.stores.apple.authority import Authority
from demo.stores.deliveries import Deliveries
from demo.stores.messages import Answer, Request
from demo.stores.peer import Clock, Peer, Route
from tests.proof import Proof
from tests.stores import books
from tests.stores.market import Market

FULL_MUTATIONS = 20_000
SENDERS = 8
JWS = re.compile(rb"[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}")
SIGNED_IN = ("authorization", "stripe-signature")
#: What we remember of a request; others are the transport's own.
REMEMBERED = (*SIGNED_IN, "content-type")


@dataclass(frozen=True)
class Letter:
    """A notification as it is sent."""

    body: bytes
    headers: Mapping[str, str]

    def with_header(self, name: str, value: str) -> "Letter":
        return replace(self, headers={**self.headers, name: value})


Spoil = Callable[[Letter, Random], Letter]


class Catcher:
    """An address of ours at which true notifications of the stores end up, and never get further."""

    def __init__(self, folder: Path) -> None:
        self.caught: dict[str, list[Letter]] = {}
        port = ports.any_free()
        self.url = f"http://127.0.0.1:{port}"
        peer = Peer(
            routes=[Route("POST", "/caught/([a-z]+)", self._catch)],
            folder=folder,
            clock=Clock(),
            deliveries=Deliveries(threads=0),
        )
        threading.Thread(target=peer.serve, args=[port], daemon=True).start()

    def _catch(self, request: Request, match: "re.Match[str]") -> Answer:
        headers = {name: value for name, value in request.headers.items() if name in REMEMBERED}
        self.caught.setdefault(match[1], []).append(Letter(request.body, headers))
        return Answer(status=204)


@pytest.fixture
def caught(stores: Market, tmp_path: Path) -> Mapping[str, Sequence[Letter]]:
    """True notifications of every store, of which none has reached us."""
    catcher = Catcher(tmp_path)
    for name, shop in stores.shops.items():
        shop.notify(f"{catcher.url}/caught/{name}")
    for buyer in stores.population.customers[:4]:
        for shop in stores.shops.values():
            shop.sell(buyer)
    for shop in stores.shops.values():
        stores.wait_until(lambda shop=shop: not shop.told().waiting, "all are caught")
    assert set(catcher.caught) == set(stores.shops)
    true = catcher.caught["google"][0]
    forged = true.with_header("authorization", f"{true.headers['authorization'][:-8]}AAAAAAAA")
    stores.wait_until(lambda: _is_judged(stores, forged), "Google's keys are had after an outage")
    return catcher.caught


def _is_judged(stores: Market, letter: Letter) -> bool:
    """Whether every process of ours that may get it knows its store's keys."""
    return 503 not in {_send(stores, "google", letter).status_code for _ in range(4 * SENDERS)}


def test_nothing_is_taken_that_no_store_has_signed(
    stores: Market, proof: Proof, caught: Mapping[str, Sequence[Letter]], tmp_path: Path
) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    count = proof.rounds(full=FULL_MUTATIONS)
    forger = Forger(tmp_path)
    before = _kept(stores)
    providers = list(stores.shops)
    tries = [
        (providers[number % len(providers)], chance.randrange(2**62)) for number in range(count)
    ]
    with ThreadPoolExecutor(SENDERS) as pool:
        outcomes = list(pool.map(partial(_try, stores, caught, forger), tries))
    kinds = Counter(kind for kind, _ in outcomes)
    found = [fault for _, fault in outcomes if fault]
    if (kept := _kept(stores) - before) != 0:
        found.append(f"{kept} were kept")
    proof.record(
        "P12",
        f"Notifications to four webhooks, spoilt in {len(kinds)} ways, forged, cut and signed by"
        " others: none accepted, none a 5xx, nothing kept",
        violations=len(found),
    )
    assert found == []


def test_each_of_them_would_have_been_taken_as_it_was(
    stores: Market, caught: Mapping[str, Sequence[Letter]]
) -> None:
    """The control: what is refused above is refused for what was done to it."""
    for provider, letters in caught.items():
        for letter in letters:
            assert _send(stores, provider, letter).status_code == 204


def test_whatever_google_says_under_its_own_token_is_no_fault_of_ours(
    stores: Market, proof: Proof, caught: Mapping[str, Sequence[Letter]]
) -> None:
    """Whose token holds may say anything: what is no push is refused, and what is, is kept and settled."""
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    found = []
    for _ in range(proof.rounds(full=FULL_MUTATIONS // 10)):
        name, spoil = chance.choice(list(COMMON.items())[:-2])
        letter = spoil(chance.choice(caught["google"]), chance)
        status = _send(stores, "google", letter).status_code
        if status != 204 and not 400 <= status < 500:
            found.append(f"{name}: {status} for {letter.body[:300]!r}")
    stores.wait_until(lambda: _in_vain(stores) == 0, "everything was tried")
    proof.record(
        "P12",
        "Spoilt notifications under a true token of Google's: refused or kept, none a 5xx",
        violations=len(found),
    )
    assert found == []
    stores.instance.query(
        "DELETE FROM payments_storemessage WHERE provider = 'google' AND state <> 'applied'"
    )


def _in_vain(stores: Market) -> int:
    """How many of Google's messages nobody has tried to apply yet."""
    waiting = (
        "SELECT count(*) FROM payments_storemessage"
        " WHERE provider = 'google' AND state = 'waiting' AND attempts = 0"
    )
    return int(books.one(stores, waiting))


def _kept(stores: Market) -> int:
    return int(books.one(stores, "SELECT count(*) FROM payments_storemessage"))


def _try(
    stores: Market,
    caught: Mapping[str, Sequence[Letter]],
    forger: "Forger",
    drawn: tuple[str, int],
) -> tuple[str, str]:
    """How it was spoilt, and what is wrong with the answer, "" if nothing is."""
    provider, seed = drawn
    chance = Random(seed)  # noqa: S311  repeatable by its seed
    whole = chance.choice(caught[provider])
    name, spoil = chance.choice([*COMMON.items(), *forger.of(provider).items()])
    letter = spoil(whole, chance)
    if provider == "google" and letter.headers == whole.headers:
        # Its token is of whoever sends, and says nothing of what.
        letter = forger.of_google(letter, chance)
    if letter == whole:
        return name, ""
    try:
        answer = _send(stores, provider, letter)
    except httpx.LocalProtocolError:
        return name, ""  # no client could send it
    except httpx.TransportError as error:
        return name, f"{provider}, {name}, seed {seed}: {error!r}"
    is_refused = 400 <= answer.status_code < 500
    told = f"{provider}, {name}, seed {seed}: {answer.status_code} {answer.text[:200]}"
    return f"{provider} {name}", "" if is_refused else told


def _send(stores: Market, provider: str, letter: Letter) -> httpx.Response:
    return stores.app.post(
        f"/v1/webhooks/{provider}", content=letter.body, headers=dict(letter.headers)
    )


def _flip_byte(letter: Letter, chance: Random) -> Letter:
    """One that says something: spaces between members say nothing."""
    place = chance.randrange(len(letter.body))
    body = bytearray(letter.body)
    body[place] ^= 1 << chance.randrange(8)
    return replace(letter, body=bytes(body))


def _cut(letter: Letter, chance: Random) -> Letter:
    return replace(letter, body=letter.body[: chance.randrange(len(letter.body))])


def _double(letter: Letter, chance: Random) -> Letter:
    return replace(letter, body=letter.body + letter.body)


def _splice(letter: Letter, chance: Random) -> Letter:
    begin, end = sorted(chance.sample(range(len(letter.body)), 2))
    return replace(letter, body=letter.body[:begin] + letter.body[end:])


def _insert(letter: Letter, chance: Random) -> Letter:
    place = chance.randrange(1, len(letter.body))
    what = chance.choice([b"\x00", b"\xff\xfe", b"\xc3\x28", b"\\u0000", b"\xed\xa0\x80", b'"'])
    return replace(letter, body=letter.body[:place] + what + letter.body[place:])


def _encode(letter: Letter, chance: Random) -> Letter:
    text = letter.body.decode()
    return replace(
        letter, body=text.encode(chance.choice(["utf-16", "utf-32", "utf-7", "utf-8-sig"]))
    )


def _inflate(letter: Letter, chance: Random) -> Letter:
    size = chance.choice([300_000, 1_100_000])
    return replace(letter, body=letter.body[:-1] + b" " * size + chance.choice([b"", b"}"]))


def _nest(letter: Letter, chance: Random) -> Letter:
    deep = chance.choice([1_000, 100_000])
    return replace(
        letter, body=chance.choice([b"[" * deep, b'{"a":' * deep, b"[" * deep + b"]" * deep])
    )


def _nothing(letter: Letter, chance: Random) -> Letter:
    said = [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'""',
        b"\x00" * 100,
        b"NaN",
        b"1e999999",
        b"x" * 5000,
    ]
    return replace(letter, body=chance.choice(said))


def _of_another_type(letter: Letter, chance: Random) -> Letter:
    """Members of other types than they have, in the JSON or in the place of it."""
    try:
        told = json.loads(letter.body)
    except ValueError:
        return _nothing(letter, chance)
    odd: list[Any] = [
        None,
        0,
        -1,
        10**30,
        1.5,
        True,
        "",
        "\x00",
        "\ud800",
        [],
        {},
        [[]],
        {"a": None},
    ]
    holders = [one for one in _objects(told) if one]
    holder = chance.choice(holders)
    holder[chance.choice(list(holder))] = chance.choice(odd)
    return replace(letter, body=json.dumps(told).encode())


def _objects(told: Any) -> Iterator[Any]:
    if isinstance(told, dict):
        yield told
        for value in told.values():
            yield from _objects(value)


def _spoil_header(letter: Letter, chance: Random) -> Letter:
    names = [one for one in SIGNED_IN if one in letter.headers]
    if not names:
        return _flip_byte(letter, chance)
    name = chance.choice(names)
    value = letter.headers[name]
    place = chance.randrange(len(value))
    spoilt = [
        value[:place] + chance.choice("abcXYZ019=,. ") + value[place + 1 :],
        value[:place],
        f"x{value}x",
        "",
        "x" * 9_000,
        f"{value}, {value}"[::-1],
    ]
    return letter.with_header(name, chance.choice(spoilt))


def _change_content_type(letter: Letter, chance: Random) -> Letter:
    """Beside something that is wrong: nobody signs of what type it is."""
    letter = _flip_byte(letter, chance)
    said = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"]
    return letter.with_header("content-type", chance.choice(said))


#: What can be done to any letter.
COMMON: Mapping[str, Spoil] = {
    "one bit": _flip_byte,
    "cut": _cut,
    "doubled": _double,
    "spliced": _splice,
    "with bytes in it": _insert,
    "in another encoding": _encode,
    "too large": _inflate,
    "nested": _nest,
    "nothing": _nothing,
    "of another type": _of_another_type,
    "header": _spoil_header,
    "content type": _change_content_type,
}


class Forger:
    """Signs with keys of its own what stores sign with theirs."""

    def __init__(self, folder: Path) -> None:
        (folder / "forged").mkdir()
        self._apple = Authority.kept(folder / "forged", clock.read())
        self._rsa = rsa.generate_private_key(65537, 2048)
        self._ec = ec.generate_private_key(ec.SECP256R1())

    def of(self, provider: str) -> Mapping[str, Spoil]:
        """What is done to the letters of one store."""
        of_each: Mapping[str, Mapping[str, Spoil]] = {
            "apple": {
                "chain of another root": self._of_another_root,
                "chain without its root": self._chain(lambda chain: chain[:2]),
                "chain in another order": self._chain(lambda chain: chain[::-1]),
                "chain of one": self._chain(lambda chain: chain[:1] * 3),
                "chain of nothing": self._chain(lambda chain: []),
                "chain of words": self._chain(lambda chain: ["x", "", "é"]),
                **self._of_tokens("body"),
            },
            "google": {
                "another's key": self.of_google,
                "no bearer": self._without("authorization"),
                "another scheme": self._scheme,
                **self._of_tokens("authorization"),
            },
            "stripe": {
                "another's secret": self._of_stripe,
                "unsigned of a test account": self._of_test_account,
                "unsigned of a connected account": self._of_connected_account,
                "no signature": self._without("stripe-signature"),
                "signed long ago": self._of_another_time,
            },
            "fake": {"another's key": self._of_fake, **self._of_tokens("body")},
        }
        return of_each[provider]

    def _of_tokens(self, place: str) -> Mapping[str, Spoil]:
        """What is done to a JWS, in the body or in a header."""
        return {
            "alg none": partial(self._header_of_token, place, {"alg": "none"}, b""),
            "alg HS256": partial(self._header_of_token, place, {"alg": "HS256"}, None),
            "alg RS1": partial(self._header_of_token, place, {"alg": "RS1"}, None),
            "a list of alg": partial(self._header_of_token, place, {"alg": ["ES256"]}, None),
            "crit": partial(self._header_of_token, place, {"crit": ["exp"]}, None),
            "jku": partial(self._header_of_token, place, {"jku": "http://127.0.0.1:9"}, None),
            "no signature": partial(self._header_of_token, place, {}, b""),
            "claims": partial(self._claims_of_token, place),
        }

    def _replace_token(
        self, place: str, letter: Letter, change: Callable[[bytes], bytes]
    ) -> Letter:
        if place == "body":
            return replace(
                letter, body=JWS.sub(lambda found: change(found[0]), letter.body, count=1)
            )
        value = letter.headers[place].encode()
        changed = JWS.sub(lambda found: change(found[0]), value, count=1)
        return letter.with_header(place, changed.decode())

    def _header_of_token(
        self, place: str, members: Mapping[str, Any], signature: bytes | None,
        letter: Letter, chance: Random,
    ) -> Letter:  # fmt: skip
        def change(token: bytes) -> bytes:
            head, payload, signed = token.split(b".")
            told = {**json.loads(_decoded(head)), **members}
            ending = signed if signature is None else signature
            return b".".join([_encoded(json.dumps(told).encode()), payload, ending])

        return self._replace_token(place, letter, change)

    def _claims_of_token(self, place: str, letter: Letter, chance: Random) -> Letter:
        def change(token: bytes) -> bytes:
            head, payload, signed = token.split(b".")
            told = json.loads(_decoded(payload))
            told[chance.choice(list(told))] = chance.choice([None, 0, "x", [], 10**20])
            return b".".join([head, _encoded(json.dumps(told).encode()), signed])

        return self._replace_token(place, letter, change)

    def _chain(self, change: Callable[[list[str]], list[str]]) -> Spoil:
        def spoil(letter: Letter, chance: Random) -> Letter:
            def changed(token: bytes) -> bytes:
                head, payload, signed = token.split(b".")
                told = json.loads(_decoded(head))
                told["x5c"] = change(told["x5c"])
                return b".".join([_encoded(json.dumps(told).encode()), payload, signed])

            return self._replace_token("body", letter, changed)

        return spoil

    def _of_another_root(self, letter: Letter, chance: Random) -> Letter:
        """Every word of it true, and signed by somebody who calls himself Apple."""
        signed = json.loads(letter.body)["signedPayload"].split(".")[1]
        forged = self._apple.sign(json.loads(_decoded(signed.encode())))
        return replace(letter, body=json.dumps({"signedPayload": forged}).encode())

    def of_google(self, letter: Letter, chance: Random) -> Letter:
        """With a bearer token like Google's, signed with our key."""
        token = letter.headers["authorization"].partition(" ")[2]
        claims = jwt.decode(token, options={"verify_signature": False})
        head = jwt.get_unverified_header(token)
        forged = jwt.encode(claims, self._rsa, "RS256", headers={"kid": head["kid"]})
        return letter.with_header("authorization", f"Bearer {forged}")

    def _scheme(self, letter: Letter, chance: Random) -> Letter:
        token = letter.headers["authorization"].partition(" ")[2]
        scheme = chance.choice(["Basic", "Bearer Bearer", "", "Token"])
        return letter.with_header("authorization", f"{scheme} {token}")

    def _of_stripe(self, letter: Letter, chance: Random) -> Letter:
        time_, _, rest = letter.headers["stripe-signature"].partition(",")
        digits = "".join(chance.choice("0123456789abcdef") for _ in range(64))
        spoilt = [
            f"{time_},v1={digits}",
            f"{time_},{rest.replace('v1', 'v0')}",
            f"{rest},v1={digits}",
        ]
        return letter.with_header("stripe-signature", chance.choice(spoilt))

    def _of_test_account(self, letter: Letter, chance: Random) -> Letter:
        return self._of_stripe(_with_members(letter, livemode=False), chance)

    def _of_connected_account(self, letter: Letter, chance: Random) -> Letter:
        return self._of_stripe(_with_members(letter, account="acct_1"), chance)

    def _of_another_time(self, letter: Letter, chance: Random) -> Letter:
        said = letter.headers["stripe-signature"]
        moved = int(time.time()) + chance.choice([-100_000, -301, 301, 100_000])
        return letter.with_header("stripe-signature", re.sub(r"t=\d+", f"t={moved}", said))

    def _of_fake(self, letter: Letter, chance: Random) -> Letter:
        token = letter.body.decode()
        claims = jwt.decode(token, options={"verify_signature": False})
        head = jwt.get_unverified_header(token)
        forged = jwt.encode(claims, self._ec, "ES256", headers={"typ": head["typ"]})
        return replace(letter, body=forged.encode())

    def _without(self, header: str) -> Spoil:
        def spoil(letter: Letter, chance: Random) -> Letter:
            left = {name: value for name, value in letter.headers.items() if name != header}
            return replace(letter, headers=left)

        return spoil


def _with_members(letter: Letter, **members: Any) -> Letter:
    return replace(letter, body=json.dumps(json.loads(letter.body) | members).encode())


def _decoded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
