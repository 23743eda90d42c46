"""Simulated viewers: seeded people who live simulated days with the service, through its public API.

    summary = simulation.run(
        connect=simulation.over_http(url),
        serials=catalog.load(),
        plan=simulation.Plan(until=clock.read()),
    )

They watch, leave, come back, pay and watch ads as they like, and report what they did as apps do:
in batches, sometimes late, by clocks that may be wrong, now and then twice. `was_begun` tells
whether a seed's viewers have come to this instance before.
"""

from demo.simulation.counts import Counts, Summary
from demo.simulation.marks import was_begun
from demo.simulation.runs import Connect, NothingToWatch, Plan, over_http, run
from demo.simulation.stillness import kept as stillness_kept
from demo.simulation.visits import ClockNotHonoured, Sent

__all__ = [
    "ClockNotHonoured",
    "Connect",
    "Counts",
    "NothingToWatch",
    "Plan",
    "Sent",
    "Summary",
    "over_http",
    "run",
    "stillness_kept",
    "was_begun",
]
