"""A callback that no network has signed as it stands pays nobody, whatever is wrong with it: with no 5xx, and what
it was made of pays afterwards as if nothing had been.
"""

import http.client
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from ads import adapters, verifier_keys
from ads.models import Callback, Placement, Reward, Verdict, VerifierKeys
from ads.networks import fake
from ads.networks.base import Keys, NetworkError, Part
from ads.networks.fake import FakeAdNetwork
from ads.networks.provisional import ProvisionalAdapter
from ads.sessions import Opened
from config import clock
from demo.networks import account as accounts
from demo.networks import signing
from demo.networks.account import Account
from demo.networks.signing import View
from tests import ledger_rules
from tests.ads.networks.cases import replace_view
from tests.ads.networks.test_every_network import mutated
from tests.factories.ads import PlacementFactory, open_session, report
from tests.factories.viewers import ViewerFactory
from tests.proof import Proof

FULL_MUTATIONS = 20_000
SENDERS = 4
VIEWERS = 4
SECRET = "an-address-that-nobody-knows-0123"
OURS, THEIRS = accounts.opened(), accounts.opened()
STRANGER = ProvisionalAdapter(network="douyin", seal_keys=["not ours"])
#: A stranger signs under the ids of keys that are known. The second key is the fake network's.
for account in (OURS, THEIRS):
    account.admob_keys = [accounts.new_key(accounts.FIRST_KEY_ID), accounts.new_key(fake.KEY_ID)]
UNITS: Mapping[str, str] = {
    "admob": "ca-app-pub-1/5224354917",
    "applovin": "9ad0816ac071552a",
    "levelplay": "a1b2c3d4e",
    "unity": "Rewarded_Android",
    "pangle": "980000001",
    "wechat": "adunit-0123456789abcdef",
    "douyin": "1f2e3d4c5b6a",
    "fake": "fake-app/unit-1",
}
#: Long enough ago that a key which is made up may yet be one of the network's.
FETCHED_BEFORE = timedelta(minutes=5)
#: What the signature of a network has to hold together, or a callback of a view that has not come can be turned
#: to another session.
NEEDED = {Part.TRANSACTION, Part.SESSION, Part.VIEWER}
#: A client writes these into an address as they are; others it escapes.
PLAIN = "!\"$%&'()*+,-./:;<=>?@[]^_`{|}~#\\"


@dataclass(frozen=True)
class Letter:
    """A callback as it is sent. Of a `view` whose ad is paid already, or waits for it."""

    network: str
    query: str
    view: View
    is_used: bool


Spoil = Callable[[Letter, "Post", Random], Letter]


@dataclass(frozen=True)
class Post:
    """Every network's true callbacks, and where they go."""

    server: LiveServer
    keys: Mapping[str, Keys]
    letters: Sequence[Letter]
    #: Sessions that wait for their ad, of which no callback was ever made.
    open: Sequence[View]

    def of(self, network: str) -> Sequence[Letter]:
        return [letter for letter in self.letters if letter.network == network]

    def send(self, letter: Letter) -> tuple[int, str]:
        """The status and the answer; 0 for none."""
        secret = "" if adapters.find(letter.network).address_secret == "" else f"/{SECRET}"
        target = f"/v1/ssv/{letter.network}{secret}?{quote(letter.query, safe=PLAIN)}"
        thread = self.server.thread
        line = http.client.HTTPConnection(thread.host, thread.port, timeout=60)
        try:
            line.request("GET", target)
            answer = line.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error)
        finally:
            line.close()


@pytest.fixture(autouse=True)
def networks(settings: Settings) -> Iterator[None]:
    """Accounts at all of them."""
    settings.AD_CALLBACK_SECRET = SECRET
    settings.APPLOVIN_EVENT_KEYS = OURS.applovin_event_key
    settings.LEVELPLAY_PRIVATE_KEYS = OURS.levelplay_private_key
    settings.UNITY_ADS_SECRETS = OURS.unity_secret
    settings.PANGLE_SECURITY_KEYS = f"980000001:{OURS.pangle_key('980000001')}, 2:another"
    settings.WECHAT_ADS_TOKEN = OURS.wechat_token
    settings.WECHAT_ADS_AES_KEY = OURS.wechat_aes_key
    settings.PROVISIONAL_AD_NETWORKS = ["douyin"]
    settings.FAKE_AD_NETWORK_KEY = OURS.admob_keys[1].pem
    adapters._adapters.cache_clear()
    yield
    adapters._adapters.cache_clear()


@pytest.fixture
def post(live_server: LiveServer, transactional_db: None) -> Post:
    """Viewers who have watched ads of every network, and callbacks for these of which none has reached us. Where the
    signature does not hold the session together, one has: what it is worth is spent."""
    now = clock.read()
    key = OURS.admob_keys[0]
    VerifierKeys.objects.create(
        network="admob",
        document=FakeAdNetwork(key.private, key_id=key.key_id).document(),
        fetched_at=now - FETCHED_BEFORE,
    )
    letters, waiting = list[Letter](), list[View]()
    for network in UNITS:
        placement = _placement(network)
        watched, others = ViewerFactory.create_batch(VIEWERS), ViewerFactory.create_batch(VIEWERS)
        is_used = not adapters.find(network).conduct.covered >= NEEDED
        # Long enough ago for an ad to have ended where the app is believed.
        announced = partial(open_session, placement, episode_id=None, now=now - FETCHED_BEFORE)
        for viewer in watched:
            view = _view(announced(viewer_id=viewer.id))
            letter = Letter(network, _signed(OURS, network, view), view, is_used)
            if is_used:
                assert report(letter.query, now=now, network=network).verdict == Verdict.PAID
            letters.append(letter)
        waiting += [_view(announced(viewer_id=viewer.id)) for viewer in others]
    keys = {network: verifier_keys.current(network) for network in UNITS}
    return Post(live_server, keys, letters, waiting)


def _placement(network: str) -> Placement:
    """Where an ad pays coins, for a day; as seldom as it has to be where the app is believed."""
    made: Placement = PlacementFactory(
        network=network,
        ad_unit_id=UNITS[network],
        reward="coins",
        reward_amount=1,
        session_seconds=24 * 3600,
        daily_cap=3,
        cooldown_seconds=300,
    )
    return made


def _view(opened: Opened) -> View:
    """The ad of a session, watched to its end."""
    return View(
        ad_unit=opened.placement.ad_unit_id,
        custom_data=opened.hand_over.custom_data,
        user_id=opened.hand_over.user_id,
        transaction_id=uuid4().hex,
        watched_at=clock.read(),
    )


def _signed(by: Account, network: str, view: View) -> str:
    """The callback for a view, with an account's keys; of a network that calls nobody the app's claim."""
    if network == "fake":
        return FakeAdNetwork(by.admob_keys[1].private, key_id=fake.KEY_ID).watched(
            ad_unit_id=view.ad_unit,
            custom_data=view.custom_data,
            user_id=view.user_id,
            now=view.watched_at,
            transaction_id=view.transaction_id,
        )
    if network == "douyin":
        return f"ad_unit={view.ad_unit}&custom_data={view.custom_data}&user_id={view.user_id}"
    return signing.WRITERS[network](by, view)


def test_nothing_pays_that_no_network_has_signed(post: Post, proof: Proof) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    paid_before = Reward.objects.count()
    names = list(UNITS)
    tries = [
        (names[number % len(names)], chance.randrange(2**62))
        for number in range(proof.rounds(full=FULL_MUTATIONS))
    ]

    with ThreadPoolExecutor(SENDERS) as pool:
        outcomes = list(pool.map(partial(_try, post), tries))

    found = [fault for fault in outcomes if fault]
    if (paid := Reward.objects.count() - paid_before) != 0:
        found.append(f"{paid} were paid")
    # The control: what was refused was refused for what was done to it, and has used up nothing.
    for letter in post.letters:
        status, told = post.send(letter)
        callback = Callback.objects.filter(verdict__in=(Verdict.PAID, Verdict.LATE)).latest("id")
        if status != 200 or not (letter.is_used or callback.session_id == _session_id(letter)):
            found.append(f"{letter.network}: as it was it is answered {status} {told[:200]}")
    assert ledger_rules.broken() == []
    proof.record(
        "P11",
        f"callbacks to {len(UNITS)} networks over HTTP, spoilt in {len(SPOILS)} ways: none paid, none a 5xx",
        violations=len(found),
    )
    assert found == []


def _session_id(letter: Letter) -> Any:
    return Callback._meta.get_field("session").to_python(letter.view.custom_data[:32])


def _try(post: Post, drawn: tuple[str, int]) -> str:
    """What is wrong with the answer to a callback that was spoilt, "" if nothing is."""
    network, seed = drawn
    chance = Random(seed)  # noqa: S311  repeatable by its seed
    whole = chance.choice(post.of(network))
    name, spoil = chance.choice(list(SPOILS.items()))
    letter = spoil(whole, post, chance)
    if letter.query == whole.query:  # sealed, or it has none of this
        letter = _mutate(whole, post, chance)
    if _is_as_it_was(letter, post):
        return ""
    status, told = post.send(letter)
    is_answered = 0 < status < 500
    return "" if is_answered else f"{network}, {name}, seed {seed}: {status} {told[:200]}"


def _is_as_it_was(letter: Letter, post: Post) -> bool:
    """Whether it says the same as a true callback of a view that has not come: written otherwise, it is that."""
    adapter = adapters.find(letter.network)
    text = quote(letter.query, safe=PLAIN)
    try:
        reward = adapter.verify(text, post.keys[letter.network], now=clock.read())
    except NetworkError:
        return False
    mine = (reward.custom_data, reward.user_id)
    true = {(one.view.custom_data[:32], one.view.user_id) for one in post.of(letter.network)}
    return not letter.is_used and mine in true


def _mutate(letter: Letter, post: Post, chance: Random) -> Letter:
    other = chance.choice(post.of(letter.network))
    return replace(letter, query=mutated(letter.query, other.query, chance))


def _mutate_with_another_networks(letter: Letter, post: Post, chance: Random) -> Letter:
    return replace(letter, query=mutated(letter.query, chance.choice(post.letters).query, chance))


def _send_elsewhere(letter: Letter, post: Post, chance: Random) -> Letter:
    """A true callback, at the address of another network."""
    others = [one for one in post.letters if one.network != letter.network]
    return replace(letter, query=chance.choice(others).query)


def _sign_by_another(letter: Letter, post: Post, chance: Random) -> Letter:
    view = letter.view
    if letter.network == "douyin":
        made_up = STRANGER.hand_over(
            session=view.custom_data[:32],
            viewer=view.user_id,
            ad_unit_id=view.ad_unit,
            now=view.watched_at - FETCHED_BEFORE,
        )
        view = replace_view(view, custom_data=made_up.custom_data)
    return replace(letter, query=_signed(THEIRS, letter.network, view))


def _turn_to_another_session(letter: Letter, post: Post, chance: Random) -> Letter:
    """One that waits for its ad, of the same network or another. Its app's ticket is nobody's else."""
    prey = chance.choice(post.open)
    query = letter.query.replace(letter.view.custom_data[:32], prey.custom_data[:32])
    return replace(letter, query=query.replace(letter.view.user_id, prey.user_id))


def _turn_to_another_viewer(letter: Letter, post: Post, chance: Random) -> Letter:
    prey = chance.choice(post.open)
    return replace(letter, query=letter.query.replace(letter.view.user_id, prey.user_id))


def _name_another_transaction(letter: Letter, post: Post, chance: Random) -> Letter:
    return replace(letter, query=letter.query.replace(letter.view.transaction_id, uuid4().hex))


def _name_another_key(letter: Letter, post: Post, chance: Random) -> Letter:
    """Of networks that publish keys; known, unknown, and none at all."""
    names = ["1", "0", "-1", str(2**63), "9" * 30, "", "x", str(chance.randrange(1, 2**63))]
    return replace(
        letter, query=re.sub(r"&key_id=\d+", f"&key_id={chance.choice(names)}", letter.query)
    )


def _cut(letter: Letter, post: Post, chance: Random) -> Letter:
    return replace(letter, query=letter.query[: chance.randrange(len(letter.query))])


def _inflate(letter: Letter, post: Post, chance: Random) -> Letter:
    size = chance.choice([9_000, 40_000])
    return replace(letter, query=letter.query + chance.choice(["x", "&", "&a=1", "%41"]) * size)


def _say_nothing(letter: Letter, post: Post, chance: Random) -> Letter:
    said = ["", "?", "&", "=", "%", "%00", "%ff=%fe", "%ED%A0%80", "é", "signature=", "a=1&a=1"]
    return replace(letter, query=chance.choice(said))


#: What can be done to any callback.
SPOILS: Mapping[str, Spoil] = {
    "mutated": _mutate,
    "mutated with another network's": _mutate_with_another_networks,
    "at another network's address": _send_elsewhere,
    "signed by another": _sign_by_another,
    "for another session": _turn_to_another_session,
    "for another viewer": _turn_to_another_viewer,
    "of another transaction": _name_another_transaction,
    "of another key": _name_another_key,
    "cut": _cut,
    "too long": _inflate,
    "nothing": _say_nothing,
}
