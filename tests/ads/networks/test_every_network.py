"""What every network's adapter promises, the fake one's too: a genuine callback is read as it was meant, and
none that was changed is taken for another."""

import re
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest

from ads.networks.base import Fault, NetworkError, Part, Reply, SignedReward
from ads.networks.queries import MAXIMUM_CHARACTERS
from demo.networks import signing
from tests.ads.networks.cases import (
    CASES,
    NOW,
    OTHERS_SESSION,
    OTHERS_VIEWER,
    OURS,
    SESSION,
    THEIRS,
    VIEWER,
    Case,
    replace_view,
)
from tests.proof import Proof

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=str)
#: How many mutations at full count: together 100,000 of ECDSA's and a million of the hashes'.
ECDSA, MUTATIONS, HASH_MUTATIONS = {"admob", "fake"}, 50_000, 150_000
JSON, TEXT = "application/json", "text/plain"


def accepted(case: Case, query: str) -> SignedReward | None:
    """What is read of a query, None if it is refused. Nothing but the contract's error may come out."""
    try:
        return case.read(query)
    except NetworkError:
        return None


def is_taken_for_another(case: Case, query: str, *honest: SignedReward) -> bool:
    """Whether a query is accepted as a view that no honest callback was of."""
    reward = accepted(case, query)
    if reward is None:
        return False
    return case.covered(reward) not in {case.covered(one) for one in honest}


def pairs(query: str) -> list[tuple[str, str]]:
    """The parameters, as they were sent."""
    return [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&"))]


def joined(parameters: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in parameters)


@EVERY
def test_reads_what_the_network_attests(case: Case) -> None:
    view = case.view()

    reward = case.read(case.callback())

    assert (reward.custom_data, reward.user_id) == (SESSION, VIEWER)
    assert reward.ad_unit == case.attested_ad_unit
    assert not reward.is_probe
    assert reward.watched_at in {None, view.watched_at}
    assert 0 < len(reward.transaction_id) <= 100


@EVERY
def test_says_of_the_moment_what_its_signature_covers(case: Case) -> None:
    if Part.MOMENT in case.adapter.conduct.covered:
        assert case.read(case.callback()).watched_at == NOW


@EVERY
def test_gives_each_view_a_name_of_its_own_and_the_same_view_the_same(case: Case) -> None:
    first, again, other = (
        case.read(case.callback()),
        case.read(case.callback()),
        case.read(case.callback(session=OTHERS_SESSION, number=2)),
    )

    assert first == again
    assert first.transaction_id != other.transaction_id


@EVERY
def test_reads_a_repetition_as_the_same_however_late_it_comes(case: Case) -> None:
    query = case.callback()
    keys = case.adapter.keys(case.adapter.document)
    read = {
        case.adapter.verify(query, keys, now=NOW + timedelta(seconds=late))
        for late in (0, 1, 3600, 8 * 24 * 3600)
    }

    assert len(read) == 1


@EVERY
def test_hands_over_what_every_sdk_carries(case: Case) -> None:
    view = case.view()
    shape = re.compile(r"[A-Za-z0-9_-]{1,64}")

    assert shape.fullmatch(view.custom_data)
    assert shape.fullmatch(view.user_id)


@EVERY
def test_refuses_what_somebody_else_has_signed(case: Case) -> None:
    with pytest.raises(NetworkError) as refused:
        case.read(case.callback(by=THEIRS))

    assert refused.value.fault is Fault.FORGED


SIGNATURES = {"signature", "event_token_all", "event_token", "hmac", "sign"}


@EVERY
def test_takes_one_signature_and_no_other(case: Case) -> None:
    """Not one that is nearly right, at whichever end."""
    query = case.callback()
    (name,) = SIGNATURES & dict(pairs(query)).keys() or {"custom_data"}
    signature = dict(pairs(query))[name]
    for place in range(len(signature)):
        new = "1" if signature[place] == "0" else "0"
        nearly = signature[:place] + new + signature[place + 1 :]
        assert accepted(case, query.replace(signature, nearly)) is None, nearly


def changes(value: str) -> Iterator[str]:
    """A value with something done to it."""
    yield from ("", "0", "x", value + "0", "0" + value, value + "%20", value[:-1], value[1:])
    yield from (value.upper(), value.lower(), value[::-1], value * 2, value + "%00", value + "%0A")
    for place in range(len(value)):
        for new in "0a9-":
            yield value[:place] + new + value[place + 1 :]


@EVERY
def test_takes_a_callback_with_one_parameter_changed_for_no_other(case: Case) -> None:
    query = case.callback()
    honest = case.read(query)
    parameters = pairs(query)
    taken = []
    for place, (name, value) in enumerate(parameters):
        for changed in changes(value):
            altered = joined([*parameters[:place], (name, changed), *parameters[place + 1 :]])
            if altered != query and is_taken_for_another(case, altered, honest):
                taken.append(altered)

    assert taken == []


@EVERY
def test_takes_the_parts_of_another_callback_for_no_third(case: Case) -> None:
    """Each parameter of one view is put into the callback of another."""
    mine, theirs = (
        case.callback(),
        case.callback(session=OTHERS_SESSION, viewer=OTHERS_VIEWER, number=2),
    )
    honest = case.read(mine), case.read(theirs)
    for here, there in ((mine, theirs), (theirs, mine)):
        for place, parameter in enumerate(pairs(there)):
            parameters = pairs(here)
            parameters[place] = parameter
            assert not is_taken_for_another(case, joined(parameters), *honest)


@EVERY
def test_moves_no_characters_from_one_parameter_into_its_neighbour(case: Case) -> None:
    """Where networks join values without a separator, what is signed would be the same."""
    query = case.callback()
    honest, parameters = case.read(query), sorted(pairs(query))
    for first in range(len(parameters)):
        for second in range(len(parameters)):
            for length in (-3, -2, -1, 1, 2, 3):
                moved = list(parameters)
                (one, left), (other, right) = moved[first], moved[second]
                if first == second or not left or not right:
                    continue
                cut = (left + right)[: len(left) + length], (left + right)[len(left) + length :]
                moved[first], moved[second] = (one, cut[0]), (other, cut[1])
                altered = joined([(name, dict(moved)[name]) for name, _ in pairs(query)])
                assert not is_taken_for_another(case, altered, honest), altered


@EVERY
def test_refuses_every_parameter_that_is_there_twice(case: Case) -> None:
    query = case.callback()
    for name, value in pairs(query):
        for again in (value, "", "x", value[::-1]):
            for doubled in (f"{query}&{name}={again}", f"{name}={again}&{query}"):
                assert accepted(case, doubled) is None, doubled
            escaped = "".join(f"%{ord(character):02X}" for character in name)
            assert accepted(case, f"{query}&{escaped}={again}") is None


@EVERY
def test_misses_every_parameter_that_it_uses(case: Case) -> None:
    query = case.callback()
    honest, parameters = case.read(query), pairs(query)
    for place in range(len(parameters)):
        without = joined(parameters[:place] + parameters[place + 1 :])
        reward = accepted(case, without)
        if reward is not None:
            assert case.covered(reward) == case.covered(honest)
            assert reward.custom_data in {SESSION, ""}


INJECTED = [
    *(
        "reward_amount=9999",
        "rewards=9999",
        "amount=9999",
        "custom_data=x",
        "user_id=x",
        "userId=x",
    ),
    *("transaction_id=x", "eventId=x", "event_id=x", "oid=x", "trans_id=x", "sid=x", "extra=x"),
    *("dynamicUserId=x", "echostr=x", "encrypt=x", "signature=x", "sign=x", "hmac=x", "key_id=1"),
    *("x=1", "=", "x", "=x", "%26user_id=x", "[]=x", "user_id[]=x", "x=%26user_id%3Dx", "", "ts=1"),
]


@EVERY
@pytest.mark.parametrize("stray", INJECTED)
def test_reads_no_more_out_of_a_callback_when_something_is_put_in(case: Case, stray: str) -> None:
    query = case.callback()
    honest = case.read(query)
    for altered in (f"{query}&{stray}", f"{stray}&{query}", query.replace("&", f"&{stray}&", 1)):
        assert accepted(case, altered) in {None, honest}, altered
    for separator in (";", "%26", "&&", "\n", " "):
        assert accepted(case, f"{query}{separator}{stray}") in {None, honest}


@EVERY
def test_reads_the_same_however_a_value_is_escaped(case: Case) -> None:
    query = case.callback()
    honest, parameters = case.read(query), pairs(query)
    for place, (name, value) in enumerate(parameters):
        if "%" in value or "+" in value:
            continue
        escaped = "".join(f"%{ord(character):02x}" for character in value)
        written = joined([*parameters[:place], (name, escaped), *parameters[place + 1 :]])
        assert accepted(case, written) in {None, honest}


ODD = [
    *("", "?", "&", "=", "&&", "a", "a=b", "%", "%%", "%zz", "%0", "\x00", "\n", "é", "\ud800"),
    *("%ff", "%C0%80", "%ED%A0%80", "%F4%90%80%80", "%00=%00", "a=%00", "+=+", "a;b", "a\tb"),
    *("signature=&key_id=", "&signature=AA&key_id=1", "x" * 9000, "&" * 9000, "a=1&" * 3000),
    *("encrypt=AAAA", "encrypt=" + "A" * 44, "echostr=1", "ts=" + "9" * 400, "sid=" + "f" * 64),
]


@EVERY
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:30]))
def test_refuses_anything_else_by_its_own_error(case: Case, odd: str) -> None:
    query = case.callback()
    assert accepted(case, odd) is None
    for near in (odd + query, query + odd, query.replace("=", f"={odd}", 1)):
        if near != query:
            assert accepted(case, near) in {None, case.read(query)}


@EVERY
def test_takes_no_query_longer_than_8_kb(case: Case) -> None:
    query = case.callback()
    padded = f"{query}&x={'x' * (MAXIMUM_CHARACTERS - len(query))}"
    with pytest.raises(NetworkError) as refused:
        case.read(padded)

    assert (len(padded) > MAXIMUM_CHARACTERS, refused.value.fault) == (True, Fault.MALFORMED)


@EVERY
def test_takes_no_key_document_for_one_that_it_has_not(case: Case) -> None:
    if case.adapter.document:
        assert case.adapter.keys(case.adapter.document)
    else:
        assert case.adapter.keys(b"anything") == {}
        assert case.adapter.keys_url == ""


REPLIES = [
    ("admob", "paid", True, Reply(200, b'{"verdict":"paid"}', JSON)),
    ("admob", "expired", False, Reply(200, b'{"verdict":"expired"}', JSON)),
    ("fake", "replayed", True, Reply(200, b'{"verdict":"replayed"}', JSON)),
    ("applovin", "paid", True, Reply(200, b'{"verdict":"paid"}', JSON)),
    ("applovin event", "orphan", False, Reply(200, b'{"verdict":"orphan"}', JSON)),
    ("levelplay", "paid", True, Reply(200, b"00000000000000000000000000000001:OK", TEXT)),
    ("levelplay", "over_cap", False, Reply(200, b"00000000000000000000000000000001:OK", TEXT)),
    ("unity", "paid", True, Reply(200, b"1", TEXT)),
    ("unity", "replayed", True, Reply(200, b"1", TEXT)),
    ("unity", "session_used", False, Reply(400, b"session_used", TEXT)),
    ("pangle", "paid", True, Reply(200, b'{"isValid":true}', JSON)),
    ("pangle", "other_viewer", False, Reply(200, b'{"isValid":false}', JSON)),
    ("wechat", "replayed", True, Reply(200, b'{"is_valid":true}', JSON)),
    ("wechat", "already_open", False, Reply(200, b'{"is_valid":false}', JSON)),
    ("douyin", "paid", True, Reply(200, b'{"verdict":"paid"}', JSON)),
]


@pytest.mark.parametrize(("name", "verdict", "is_paid", "reply"), REPLIES)
def test_answers_what_the_network_waits_for(
    name: str, verdict: str, is_paid: bool, reply: Reply
) -> None:
    case = CASES[name]
    reward = case.read(case.callback())

    assert case.adapter.reply(reward, verdict=verdict, is_paid=is_paid) == reply


def test_every_network_has_a_reply_for_both_ends() -> None:
    assert {name for name, *_ in REPLIES} == set(CASES)


PROBES = [
    ("admob", {"transaction_id": "123456789"}, b'{"verdict":"probe"}'),
    ("fake", {"custom_data": "", "user_id": ""}, b'{"verdict":"probe"}'),
    ("levelplay", {"user_id": "probe", "custom_data": ""}, b"00000000000000000000000000000001:OK"),
]


@pytest.mark.parametrize(("name", "changed", "body"), PROBES)
def test_answers_the_consoles_trial_and_takes_it_for_no_view(
    name: str, changed: dict[str, str], body: bytes
) -> None:
    case = CASES[name]
    reward = case.read(case.signs(OURS, replace_view(case.view(), **changed)))

    assert reward.is_probe
    assert case.adapter.reply(reward, verdict="probe", is_paid=False).body == body


def mutated(query: str, other: str, chance: Random) -> str:
    """A callback with something done to it, or parts of two put together."""
    ours, theirs = pairs(query), pairs(other)
    place = chance.randrange(len(ours))
    name, value = ours[place]
    kind = chance.randrange(9)
    if kind == 0:
        ours[place] = name, theirs[chance.randrange(len(theirs))][1]
    elif kind == 1:
        ours.insert(chance.randrange(len(ours) + 1), theirs[chance.randrange(len(theirs))])
    elif kind == 2:
        del ours[place]
    elif kind == 3:
        chance.shuffle(ours)
    elif kind == 4:
        elsewhere = chance.randrange(len(ours))
        cut = chance.randrange(len(value) + 1)
        ours[place] = name, value[:cut]
        ours[elsewhere] = ours[elsewhere][0], ours[elsewhere][1] + value[cut:]
    elif kind == 5:
        cut, rest = sorted((chance.randrange(len(query) + 1), chance.randrange(len(query) + 1)))
        return query[:cut] + other[cut:rest] + query[rest:]
    else:
        text = joined(ours)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            spot = chance.randrange(len(text))
            new = chance.choice("0123456789abcdef&=%+-_.AZé\x00")
            text = text[:spot] + chance.choice((new, "", new + text[spot])) + text[spot + 1 :]
        return text
    return joined(ours)


@EVERY
def test_takes_no_mutation_for_another_view(case: Case, proof: Proof) -> None:
    """Whole signatures among them, which a mutation leaves as they were."""
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    full = MUTATIONS if case.name in ECDSA else HASH_MUTATIONS
    queries = [
        case.callback(session=f"{number:032x}", viewer=f"{number + 50:032x}", number=number)
        for number in range(1, 9)
    ]
    honest = {case.covered(case.read(query)) for query in queries}
    taken = []
    for _ in range(proof.rounds(full=full)):
        altered = mutated(chance.choice(queries), chance.choice(queries), chance)
        reward = accepted(case, altered)
        if reward is not None and case.covered(reward) not in honest:
            taken.append(altered)

    assert taken == []
    proof.record("P11", f"mutated callbacks of {case}", violations=0)


HOSTILE = [
    *(
        "",
        "&",
        "=",
        "%",
        "+",
        ",",
        "&user_id=x",
        "%26",
        "\x00",
        "é",
        "剧",
        "a b",
        "\n",
        "'",
        "0" * 70,
    ),
    *(
        SESSION,
        VIEWER,
        SESSION + VIEWER,
        "probe",
        "123456789",
        "{}",
        "%00",
        "a" * 3000,
        ":OK",
        "../",
    ),
]


@EVERY
def test_never_fails_otherwise_when_the_signature_holds(case: Case, proof: Proof) -> None:
    """What an app hands to an SDK is its users' to choose, and the network signs it."""
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    for _ in range(proof.rounds(full=20_000)):
        names = chance.sample(("ad_unit", "custom_data", "user_id", "transaction_id"), 2)
        pieces = {name: "".join(chance.choices(HOSTILE, k=chance.randint(1, 3))) for name in names}
        reward = accepted(case, case.signs(OURS, replace_view(case.view(), **pieces)))
        if reward is not None and case.name not in ECDSA and not reward.is_probe:
            assert re.fullmatch("([0-9a-f]{32})?", reward.custom_data)
            assert re.fullmatch("[0-9a-f]{32}", reward.user_id)
    proof.record("P11", f"anything that {case} signs", violations=0)


def test_wechats_trial_of_the_address_is_no_view() -> None:
    case = CASES["wechat"]
    query = signing.wechat_trial(OURS, NOW)
    reward = case.read(query)

    assert (reward.is_probe, reward.transaction_id) == (True, "")
    assert case.adapter.reply(reward, verdict="probe", is_paid=False).body == (
        f'{{"echostr":"{reward.echo}"}}'.encode()
    )
    assert f"echostr={reward.echo}" in query
