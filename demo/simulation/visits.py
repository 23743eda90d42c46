"""One visit of one viewer, from opening the app to putting it away, through the public API alone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from demo.answers import Reported, Tokens
from demo.event_log import BATCH_EVENTS
from demo.facts import fact
from demo.simulation import choosing, subscribers
from demo.simulation.choosing import Scripts
from demo.simulation.counts import Counts
from demo.simulation.dice import happens
from demo.simulation.phones import Phone
from demo.simulation.population import FAULTY_VERSION
from demo.simulation.watching import Sitting

MOST_SITTINGS = 3
CLOCK_TOLERANCE = timedelta(days=1)

_SENT_AGAIN = 0.02


class ClockNotHonoured(Exception):
    """The service lives in its own time: it does not take the X-Clock header."""


@dataclass(frozen=True)
class Sent:
    """A batch that was answered, and the true moment at which it was sent."""

    viewer_id: str
    at: datetime
    body: bytes
    answer: Reported


Tap = Callable[[Sent], None]


class Visit:
    """Runs once. What the viewer keeps is left in their account."""

    def __init__(self, phone: Phone, scripts: Scripts, *, tap: Tap) -> None:
        self._phone, self._scripts, self._tap = phone, scripts, tap
        has_another = phone.account.visits + 1 < len(phone.person.visits)
        self._reports_later = has_another and happens(phone.roll, phone.person.lateness)

    def run(self) -> Counts:
        """The visit. Raises ClockNotHonoured, WrongFact, and what the client raises."""
        phone, decision_id = self._phone, ""
        tokens = self._arrive()
        subscribers.subscribe(phone)
        wanted = max(1, round(phone.dice("wanted").expovariate(1 / phone.person.appetite)))
        script = choosing.resumed(phone, self._scripts)
        for _ in range(MOST_SITTINGS):
            if script is None:
                script, decision_id = choosing.picked(phone, self._scripts, after=decision_id)
            if script is None:
                break
            wanted = Sitting(phone, script, decision_id=decision_id).watch(wanted=wanted)
            script = None
            if not wanted:
                break
            if len(phone.log) >= BATCH_EVENTS:
                self._send(tokens)
        self._send(tokens)
        phone.account.visits += 1
        return phone.counts

    def _arrive(self) -> Tokens:
        phone, account = self._phone, self._phone.account
        if account.tokens is None:
            account.tokens = phone.app.guest()
            phone.counts.arrivals += 1
            ahead = account.tokens.access_token_expires_at - phone.clock.moment
            if not timedelta() < ahead < CLOCK_TOLERANCE:
                raise ClockNotHonoured(f"Tokens of {phone.clock.moment} expire {ahead} later.")
        elif account.tokens.access_token_expires_at <= phone.clock.moment:
            account.tokens = phone.app.refresh()
        is_first = account.visits == 0
        phone.log.note(
            "app_open",
            channel=phone.person.channel if is_first else "organic",
            campaign=phone.person.campaign if is_first else "",
        )
        if phone.person.app_version == FAULTY_VERSION:
            phone.log.note("screen_seen", screen="home")
        phone.clock.pass_ms(phone.roll.uniform(400, 2_000))
        return account.tokens

    def _send(self, tokens: Tokens) -> None:
        """Reports what happened until now, unless this phone has no network to spare today."""
        if not self._reports_later:
            self._phone.log.send(lambda batch: self._report(batch, tokens))

    def _report(self, batch: bytes, tokens: Tokens) -> Reported:
        """Hands a batch in; now and then once more, as after a lost reply."""
        phone = self._phone
        answer = phone.app.report(batch)
        phone.counts.events_sent += len(answer.verdicts)
        phone.counts.events_accepted += answer.accepted
        phone.counts.events_quarantined += answer.quarantined
        if happens(phone.roll, _SENT_AGAIN):
            fact("a batch sent again", phone.app.report(batch), answer)
        self._tap(Sent(tokens.viewer_id, phone.clock.moment, batch, answer))
        return answer
