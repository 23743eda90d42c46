"""A number that two pieces of work share keeps one waiting for the other."""

import re
from collections import defaultdict
from pathlib import Path

_LOCK = re.compile(r"^(?:[A-Z]+_)*LOCK = ([0-9_]+)$", re.MULTILINE)


def test_every_advisory_lock_has_a_number_of_its_own() -> None:
    found = defaultdict[int, list[str]](list)
    for app in ("config", "analytics", "ads", "payments", "catalog", "viewers"):
        for path in Path(app).rglob("*.py"):
            for number in _LOCK.findall(path.read_text()):
                found[int(number)].append(str(path))

    assert len(found) > 10
    assert {number: paths for number, paths in found.items() if len(paths) > 1} == {}
