"""Proofs: tests that also run at full count, with their seed and outcome written down."""

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

EVIDENCE = Path(__file__).resolve().parent.parent / "docs" / "evidence.json"


@dataclass
class Proof:
    """One test's proof: how often it runs, and what it found."""

    is_full: bool
    seed: int
    rows: list[dict[str, object]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    count: int = 0

    def rounds(self, *, full: int) -> int:
        """How many rounds to run: all of them in a full run, a two-hundredth in the suite."""
        self.count = full if self.is_full else max(full // 200, 2)
        return self.count

    def record(self, promise: str, what: str, *, violations: int) -> None:
        """Adds a row to the evidence."""
        self.rows.append(
            {
                "promise": promise,
                "what": what,
                "count": self.count,
                "violations": violations,
                "seed": self.seed,
                "seconds": round(time.monotonic() - self.started, 1),
                "commit": _commit(),
            }
        )

    def skip(self, promise: str, what: str, *, reason: str) -> NoReturn:
        """Says in the evidence why it was not tried, and ends the test."""
        self.rows.append({"promise": promise, "what": what, "skipped": reason})
        pytest.skip(reason)


def write_evidence(rows: list[dict[str, object]], *, is_added: bool) -> None:
    """docs/evidence.json, and the same as a page; `is_added` to what they have."""
    known = msgspec.json.decode(EVIDENCE.read_bytes()) if is_added else []
    ordered = sorted(known + rows, key=lambda row: (str(row["promise"]), str(row["what"])))
    EVIDENCE.write_bytes(msgspec.json.format(msgspec.json.encode(ordered), indent=2) + b"\n")
    lines = [
        "# Evidence",
        "",
        "Written by `make prove`. A promise's number is that of its row in the tests.",
        "",
        "| promise | what | count | violations | seconds | seed | commit |",
        "|---|---|---|---|---|---|---|",
        *(
            "| {promise} | {what} | {count} | {violations} | {seconds} | {seed} | {commit} |".format(
                **row
            )
            if "skipped" not in row
            else f"| {row['promise']} | {row['what']} | skipped: {row['skipped']} | | | | |"
            for row in ordered
        ),
    ]
    EVIDENCE.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
