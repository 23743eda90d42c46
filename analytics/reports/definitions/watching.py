"""Figures of what is watched, and how."""

from analytics.reports.definitions.definition import EVENTS, LEDGER, OVER, Definition

EPISODE_SURVIVAL = Definition(
    key="episode_survival",
    name="episode-to-episode survival",
    formula=(
        "S = Π(1 − h), h = dropped ÷ n', n' = at risk − censored ÷ 2; a viewer is at risk in the"
        " episode that they played first, and in each following one that they went on to; played = a"
        " session with at least 3 s; passed = a session of the next released episode began after the"
        " first of this one, and within 7 d after the last of this one; censored = this is the last"
        " released episode, or the 7 d are not over at the watermark; dropped = the others."
        " dropped_at_paywall = of those, who met the next episode's paywall in that time;"
        " paywall_after = the episode after which most met the series' paywall for the first time;"
        " 95 % interval by Greenwood on log(−log S). Not Kaplan-Meier's: who still has time is at risk for half"
    ),
    window="7 d from the last session of the episode",
    anchor="the first played episode of viewer × series",
    source=EVENTS,
)
BEAT_SURVIVAL = Definition(
    key="beat_survival",
    name="beat survival",
    formula=(
        "S = Π(1 − h), h = exits ÷ n', n' = at risk − (censored + next + skipped) ÷ 2; at risk ="
        " at least 500 ms of the beat played; one outcome each, the first that holds of: passed"
        " (plays a later beat, or reaches the end), skipped (seeks forward out of the beat), next"
        " (plays another episode of the series, or the player says so), censored (an error in the"
        " last 5 s, 30 min not over at the watermark, or still playing when the first pass ends),"
        " exit; 95 % interval by Greenwood on log(−log S), and [0.025^(1/n'), 1] before the first"
        " exit; the withdrawal of an episode is not known by its moment and censors nobody"
    ),
    window="the first pass: until the end is reached, at most 24 h",
    anchor="the first played moment of viewer × version",
    source=EVENTS,
)
BEAT_BOOKED = Definition(
    key="beat_booked",
    name="booked",
    formula=(
        "coins and value of unlocks, each on the beat that its playback session and position name,"
        " if the session is of that viewer and series; else on that of the viewer's last stretch of"
        " the series in the 30 min before; else on no beat, with the reason: none (no stretch before"
        " it is known), window (the last one was earlier), other_version (of a version that is not"
        " shown), no_beat (none is there), flagged (the viewer or the playback is). What is received 48 h after an unlock moves it no more;"
        " of a bundle, or without a tap, all is on one beat and counted as `together`; an unlock that was undone, and what refunds took back, are"
        " booked with the opposite sign on the same beat; all rows together are the ledger's unlocks"
        " of the series."
        " Accounting, not a cause: most of it is booked before the paywall by construction"
    ),
    window="life to date",
    anchor="the unlock",
    source=LEDGER,
)
HEAT = Definition(
    key="heat",
    name="watch heat map",
    formula=(
        "heat = story ms played of a stretch ÷ (its length × viewers of the version); share = viewers"
        " who played any of it ÷ viewers of the version; replayed = what a viewer played of it beyond"
        " its length; every session counts"
    ),
    window="life to date",
    anchor="the position in the version",
    source=EVENTS,
)
TTFF = Definition(
    key="ttff",
    name="time to the first frame",
    formula=(
        "p50 and p95 of first_frame_ms over playback_start events that have it: the smallest value"
        " that so many percent do not exceed"
    ),
    window=OVER,
    anchor="the first frame",
    source=EVENTS,
)
REBUFFER_RATIO = Definition(
    key="rebuffer_ratio",
    name="rebuffering",
    formula="Σ ms of playback_stall ÷ Σ actual ms of playback_progress",
    window=OVER,
    anchor="the event",
    source=EVENTS,
)
START_FAILURE = Definition(
    key="start_failure",
    name="failed starts",
    formula=(
        "playback_failed but those that the viewer abandoned ÷ attempts; attempts = playback_start +"
        " playback_failed"
    ),
    window=OVER,
    anchor="the event",
    source=EVENTS,
)
EXIT_BEFORE_START = Definition(
    key="exit_before_start",
    name="exits before the start",
    formula="playback_failed that the viewer abandoned ÷ attempts",
    window=OVER,
    anchor="the event",
    source=EVENTS,
)
