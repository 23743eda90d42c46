"""Rules of a push that span fields, checked before anything is written."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from catalog.faults import Fault
from catalog.models import Series
from catalog.pushes import BeatPush, EpisodePush, SeriesPush, VersionPush

EARLIEST_PUBLISH_AT = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_PUBLISH_AT = datetime(2200, 1, 1, tzinfo=UTC)
MAXIMUM_FAULTS = 100


def faults(push: SeriesPush) -> list[Fault]:
    """Everything wrong with the push that can be told without the database, the first hundred."""
    found: list[Fault] = []
    for fault in _all(push):
        found.append(fault)
        if len(found) == MAXIMUM_FAULTS:
            break
    return found


def is_public(push: SeriesPush) -> bool:
    """True of a push whose series viewers will see, now or when its moment comes."""
    return push.state in {Series.State.PUBLISHED, Series.State.SCHEDULED}


def _all(push: SeriesPush) -> Iterator[Fault]:
    if push.original_locale not in push.texts:
        yield Fault("texts", f"There is no text in the original locale {push.original_locale}.")
    yield from _schedule(push)
    if is_public(push):
        yield from _publishing(push)
    if push.state != Series.State.DRAFT:
        yield from _versions_present(push.episodes)
    yield from _numbering(push.episodes)
    for index, episode in enumerate(push.episodes):
        yield from _episode(push, episode, f"episodes[{index}]")


def _schedule(push: SeriesPush) -> Iterator[Fault]:
    moment = push.publish_at
    if push.state == Series.State.SCHEDULED and moment is None:
        yield Fault("publish_at", "A scheduled series needs the moment of its publication.")
    if moment is not None and not EARLIEST_PUBLISH_AT <= moment <= LATEST_PUBLISH_AT:
        yield Fault("publish_at", "The moment is not between the years 2000 and 2200.")


def _publishing(push: SeriesPush) -> Iterator[Fault]:
    if not push.episodes:
        yield Fault("episodes", "A series needs an episode before it may be published.")
    if push.provenance.is_unlabelled:
        yield Fault("provenance.content_label", "What AI had a part in needs a label.")
    for index, episode in enumerate(push.episodes):
        if episode.version is not None and episode.version.provenance.is_unlabelled:
            path = f"episodes[{index}].version.provenance.content_label"
            yield Fault(path, "What AI had a part in needs a label.")


def _versions_present(episodes: Sequence[EpisodePush]) -> Iterator[Fault]:
    for index, episode in enumerate(episodes):
        if episode.version is None:
            yield Fault(f"episodes[{index}].version", "Only a draft may have episodes without one.")


def _numbering(episodes: Sequence[EpisodePush]) -> Iterator[Fault]:
    numbers = sorted(episode.number for episode in episodes)
    if numbers != list(range(1, len(numbers) + 1)):
        yield Fault("episodes", "The numbers do not run from 1 without gap or repetition.")
    for external_id, count in Counter(episode.external_id for episode in episodes).items():
        if count > 1:
            yield Fault("episodes", f"The external id {external_id} names {count} episodes.")


def _episode(push: SeriesPush, episode: EpisodePush, path: str) -> Iterator[Fault]:
    if episode.texts and push.original_locale not in episode.texts:
        yield Fault(
            f"{path}.texts", f"There is no text in the original locale {push.original_locale}."
        )
    if episode.version is not None:
        yield from _beats(episode.version, f"{path}.version")


def _beats(version: VersionPush, path: str) -> Iterator[Fault]:
    previous: BeatPush | None = None
    for index, beat in enumerate(version.beats):
        if beat.end_ms <= beat.start_ms:
            yield Fault(f"{path}.beats[{index}]", "The beat does not end after it starts.")
        if beat.end_ms > version.duration_ms:
            yield Fault(f"{path}.beats[{index}]", "The beat ends after its version does.")
        if previous is not None and beat.start_ms < previous.end_ms:
            yield Fault(f"{path}.beats[{index}]", "The beat starts before the last one ends.")
        previous = beat
