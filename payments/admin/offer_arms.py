"""What a rule shows, as operators write it: `ad-first: ad, coins, packs = 50`, one arm a line."""

import re
from collections.abc import Iterable

from payments.models import OfferArm
from payments.models.offer_choices import MAXIMUM_WEIGHT, Means

#: (code, what is shown in order, weight)
Arm = tuple[str, list[str], int]

MAXIMUM_ARMS = 8
_LINE = re.compile(
    r"([a-z0-9][a-z0-9-]{0,39})\s*:\s*([a-z]+(?:\s*,\s*[a-z]+)*)(?:\s*=\s*(\d{1,9}))?", re.ASCII
)


class ArmsInvalid(Exception):
    """Lines that are no arms; `complaints` has a sentence for each."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(" ".join(complaints))
        self.complaints = complaints


def read(text: str) -> list[Arm]:
    """The arms in order; without a weight, of weight 1. Raises ArmsInvalid."""
    arms: list[Arm] = []
    complaints = []
    for number, line in enumerate(filter(str.strip, text.splitlines()), start=1):
        if complaint := _read_line(line.strip(), arms):
            complaints.append(f"Line {number}: {complaint}")
    if not arms and not complaints:
        complaints = ["Say what is shown, as in “default: coins, packs, subscription, ad”."]
    if len(arms) > MAXIMUM_ARMS:
        complaints.append(f"At most {MAXIMUM_ARMS} arms can be told apart.")
    if complaints:
        raise ArmsInvalid(complaints)
    return arms


def write(arms: Iterable[OfferArm]) -> str:
    """Arms as `read` takes them."""
    return "\n".join(f"{arm.code}: {', '.join(arm.shown)} = {arm.weight}" for arm in arms)


def _read_line(line: str, arms: list[Arm]) -> str:
    """Adds a line's arm to `arms`; returns what is wrong with it, or nothing."""
    match = _LINE.fullmatch(line)
    if match is None:
        return f"“{line[:40]}” is no arm. Write “ad-first: ad, coins, packs = 50”."
    code, shown, weight = match[1], re.split(r"\s*,\s*", match[2]), int(match[3] or 1)
    if unknown := [one for one in shown if one not in Means.values]:
        return f"“{unknown[0][:20]}” is none of {', '.join(Means.values)}."
    if len(set(shown)) < len(shown):
        return "It shows something twice."
    if not 1 <= weight <= MAXIMUM_WEIGHT:
        return f"A weight is 1 to {MAXIMUM_WEIGHT:,}."
    if code in {arm[0] for arm in arms} | {"holdout"}:
        return f"“{code}” is taken."
    arms.append((code, shown, weight))
    return ""
