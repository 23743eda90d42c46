"""Whatever stands in the place of an event, the events around it are taken, and nothing breaks."""

import json
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.intake import batches, inbox
from analytics.lake import flushing, reading
from analytics.models import EventBatch, QuarantinedEvent
from config.problems import MalformedBody
from tests.factories.events import app_open, batch
from tests.hostile.fragments import FRAGMENTS

PLACE = b'"a place for an event"'
#: Fragments that are not one value, so that no one can say where the event ends.
NO_VALUE = {"nothing", "unclosed lists"}
#: Fragments that are right where a name belongs.
PLAIN_TEXTS = {"a text", "a number as text", "a boolean as text"}


def around(event: bytes, now) -> bytes:
    """A batch in which `event` stands between two good ones."""
    events = [app_open(at=now), msgspec.Raw(PLACE), app_open(at=now)]
    return msgspec.json.encode(batch(events, sent_at=now)).replace(PLACE, event)


def in_member(value: bytes, now) -> bytes:
    """An event that is right but for the value of one member."""
    opened = app_open(at=now, channel=msgspec.Raw(PLACE))
    return msgspec.json.encode(opened).replace(PLACE, value)


def verdicts(response):
    assert response.status_code == 200, response.content
    return [each.get("code", each["verdict"]) for each in response.json()["verdicts"]]


@pytest.mark.parametrize("name", sorted(FRAGMENTS.keys() - NO_VALUE))
@pytest.mark.parametrize("put", [lambda value, now: value, in_member], ids=["event", "member"])
def test_a_hostile_event_harms_no_other(report, now, name, put):
    sent = around(put(FRAGMENTS[name], now), now)
    if len(sent) > batches.BATCH_BYTES:
        pytest.skip("larger than a batch may be")

    first, middle, last = verdicts(report(sent))

    assert (first, last) == ("accepted", "accepted")
    assert middle in {"malformed_event", "event_too_large", "accepted"}
    if middle == "accepted":
        assert put is in_member
        assert name in PLAIN_TEXTS
    else:
        assert QuarantinedEvent.objects.get().position == 1


@pytest.mark.parametrize("name", sorted(NO_VALUE))
def test_where_no_one_can_say_where_the_event_ends_the_batch_is_refused(report, now, name):
    response = report(around(FRAGMENTS[name][:1000], now))

    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")
    assert not EventBatch.objects.exists()


@pytest.mark.parametrize("depth", [100, 900, 1000, 5000, 60_000])
@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_harms_no_other(report, now, depth, start, end):
    sent = around(start * depth + b"1" + end * depth, now)
    if len(sent) > batches.BATCH_BYTES:
        pytest.skip("larger than a batch may be")

    assert verdicts(report(sent))[::2] == ["accepted", "accepted"]


def test_a_member_named_twice_is_malformed_in_its_event_alone(report, now):
    twice = in_member(b'"organic"', now)[:-1] + b', "channel": "organic"}'
    escaped = in_member(b'"organic"', now)[:-1] + b', "\\u0063hannel": "organic"}'

    for event in (twice, escaped):
        assert verdicts(report(around(event, now))) == ["accepted", "malformed_event", "accepted"]
    assert {kept.detail for kept in QuarantinedEvent.objects.all()} == {
        "An object names the same member twice."
    }


@pytest.mark.parametrize("name", ["batch_id", "events", "app", "sent_at"])
def test_a_member_of_the_envelope_named_twice_is_refused(report, now, name):
    members = {key: json.dumps(value) for key, value in batch([{}], sent_at=now).items()}
    sent = ", ".join(
        f'"{key}": {value}' for key, value in [*members.items(), (name, members[name])]
    )

    response = report(f"{{{sent}}}".encode())

    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")
    assert not EventBatch.objects.exists()


def test_a_reason_that_quotes_a_nul_is_kept_without_it(report, now):
    assert verdicts(report(around(b'{"event_id\\u0000": 1}', now)))[1] == "malformed_event"


def test_hostile_structure_takes_no_longer_than_its_length(now):
    """A quote that nothing closes, and as many escaped ones after it as fit, or brackets."""
    import time

    for filling in (b'\\"' * 100_000, b'"' * 200_001, b"[" * 200_000, b",[" * 100_000):
        started = time.monotonic()
        with pytest.raises(MalformedBody):
            batches.read(b'{"events": [' + filling)
        assert time.monotonic() - started < 2


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
MEMBERS = ["event_id", "created_at", "type", "channel", "from_ms", "series_id"]
NEARLY_EVENTS = st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=5), JSON_VALUES).map(
    lambda members: {"type": "app_open", **members}
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(JSON_VALUES | NEARLY_EVENTS, min_size=1, max_size=5))
def test_any_json_is_judged_event_by_event(report, now, events):
    """As Python writes it: with NaN, infinity and lone surrogates."""
    good = app_open(at=now)
    sent = json.dumps(batch([good, *events, good], sent_at=now)).encode()

    judged = verdicts(report(sent))

    assert len(judged) == len(events) + 2
    assert (judged[0], judged[-1]) == ("accepted", "accepted")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(noise=st.binary(max_size=30), at=st.integers(0, 400), until=st.integers(0, 20))
def test_any_bytes_are_answered(report, now, noise, at, until):
    sent = around(b"{}", now)
    response = report(sent[:at] + noise + sent[at + until :])

    assert response.status_code in {200, 400, 413}, response.content


@pytest.mark.usefixtures("own_lake")
@pytest.mark.django_db(transaction=True)
def test_whatever_was_accepted_is_in_the_lake(now):
    accepted = []
    for value in FRAGMENTS.values():
        sent = around(in_member(value[:5000], now), now)
        try:
            received = inbox.receive(
                viewer_id=uuid4(), environment="production", body=sent, now=now
            )
        except MalformedBody:
            continue
        accepted += [str(each.event_id) for each in received.verdicts if each.code is None]

    flushing.finish(flushing.write(flushing.claim(now=now)), now=now)

    with reading.connection() as connection:
        found = connection.execute("SELECT event_id FROM events").fetchall()
    assert sorted(event_id for (event_id,) in found) == sorted(accepted)
    assert len(accepted) > 2 * len(FRAGMENTS) - 10
