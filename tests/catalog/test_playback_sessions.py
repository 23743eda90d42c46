"""A playback session proves by itself which playback we allowed, to whom, and when."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog import playback_sessions
from catalog.playback_sessions import PlaybackSessionForged
from config import keyring

NAMES = ("viewer_id", "series_id", "episode_id", "version_id")
PLAYBACKS = st.fixed_dictionaries({name: st.uuids() for name in NAMES})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# As a float of seconds, this microsecond is rounded into the next millisecond.
FAR_AND_FINE = datetime(4147, 8, 21, microsecond=124_993, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=2_932_000)).map(lambda since: EPOCH + since)


def playback():
    return {name: uuid4() for name in NAMES}


@given(playback=PLAYBACKS, moment=MOMENTS)
@example(playback={name: UUID(int=1) for name in NAMES}, moment=FAR_AND_FINE)
def test_an_id_proves_its_playback_and_its_millisecond(playback, moment):
    session_id = playback_sessions.issue(**playback, now=moment)

    issued_at = playback_sessions.verify(session_id, **playback)

    assert timedelta() <= moment - issued_at < timedelta(milliseconds=1)
    assert (session_id.version, session_id.variant) == (8, RFC_4122)


@given(playback=PLAYBACKS, bit=st.integers(0, 127))
def test_any_flipped_bit_is_forged(playback, bit):
    session_id = playback_sessions.issue(**playback, now=datetime(2026, 3, 14, tzinfo=UTC))

    with pytest.raises(PlaybackSessionForged):
        playback_sessions.verify(UUID(int=session_id.int ^ 1 << bit), **playback)


@given(session_id=st.uuids())
def test_any_other_id_is_forged(session_id):
    with pytest.raises(PlaybackSessionForged):
        playback_sessions.verify(session_id, **playback())


@pytest.mark.parametrize("name", NAMES)
def test_another_viewers_or_versions_id_is_forged(now, name):
    own = playback()
    session_id = playback_sessions.issue(**own, now=now)

    with pytest.raises(PlaybackSessionForged):
        playback_sessions.verify(session_id, **{**own, name: uuid4()})


def test_identifiers_in_one_anothers_place_are_forged(now):
    own = playback()
    session_id = playback_sessions.issue(**own, now=now)
    swapped = {**own, "series_id": own["episode_id"], "episode_id": own["series_id"]}

    with pytest.raises(PlaybackSessionForged):
        playback_sessions.verify(session_id, **swapped)


def test_two_playbacks_of_one_millisecond_have_two_ids(now):
    own = playback()

    assert len({playback_sessions.issue(**own, now=now) for _ in range(50)}) > 45


def test_ids_sort_by_the_moment_they_were_issued(now):
    own = playback()
    moments = [now + timedelta(milliseconds=n) for n in range(20)]
    ids = [playback_sessions.issue(**own, now=moment) for moment in moments]

    assert ids == sorted(ids)


def test_an_id_outlives_the_rotation_of_its_key_and_not_the_key(settings, now):
    own = playback()
    former, new = keyring.generate("former"), keyring.generate("new")
    settings.KEYRING = former
    session_id = playback_sessions.issue(**own, now=now)

    settings.KEYRING = f"{new},{former}"
    assert playback_sessions.verify(session_id, **own) == now
    assert playback_sessions.verify(playback_sessions.issue(**own, now=now), **own) == now

    settings.KEYRING = new
    with pytest.raises(PlaybackSessionForged):
        playback_sessions.verify(session_id, **own)
