"""Sows each bug of the board into a copy of the project and asks the tests: `make seeded-bugs`.

    python -m tests.seeded_bugs [words of a bug's name]

The copy without a bug, the canary, has to pass the same tests first. Ends with 1 if it does not, or if
a bug survives.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.seeded_bugs.board import BUGS, Bug

ROOT = Path(__file__).resolve().parent.parent.parent
AT_ONCE = 2
SECONDS = 600
_FLAGS = ("-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider")
_FLAGS += ("-p", "tests.seeded_bugs.quick_failures", "--tb=short")
_FAILED = re.compile(
    r"^(?:FAILED|ERROR) (?P<test>tests/\S+::[^\n]*?)(?: - (?P<why>.*))?$", re.MULTILINE
)


@dataclass(frozen=True)
class Verdict:
    """What the tests said of a bug; of the canary it is good that nothing was found."""

    name: str
    found: str
    is_good: bool
    seconds: float
    output: str

    def line(self) -> str:
        return f"{self.seconds:5.0f} s  {self.name}: {self.found}"


@dataclass(frozen=True)
class Field:
    """A copy of the project with database files of its own, which one bug at a time is sown into."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    def make(self) -> None:
        """Copies what git knows or would know, as it is in the working tree."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.project / name)
        data = self.folder / "data"
        data.mkdir()
        for folder in (self.folder, data):
            folder.chmod(0o711)  # an unprivileged uid serves it when root runs the tests

    def ask(self, tests: Sequence[str]) -> tuple[bool, str]:
        """Whether the tests pass, and what was printed."""
        environment = os.environ | {
            "APP_MODE": "test",
            "DATA_DIR": str(self.folder / "data"),
            "EMBEDDED_DURABLE": "off",
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "300",  # or the reason of a failure is cut off the line that names it
        }
        try:
            run = subprocess.run(
                [ROOT / ".venv" / "bin" / "pytest", *_FLAGS, *tests],
                cwd=self.project,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True, f"not finished within {SECONDS} s"
        return run.returncode == 0, run.stdout + run.stderr

    def sow(self, bug: Bug) -> Verdict:
        started = time.monotonic()
        paths = {edit.path for edit in bug.edits}
        kept = {path: (self.project / path).read_text(encoding="utf-8") for path in paths}
        try:
            for edit in bug.edits:
                edit.apply(self.project)
            has_passed, output = self.ask(bug.tests)
        finally:
            for path, text in kept.items():
                (self.project / path).write_text(text, encoding="utf-8")
        seconds = time.monotonic() - started
        if "in create_test_db" in output:
            # A copy that does not even migrate says nothing about the tests.
            return Verdict(bug.name, "BROKEN, could not be sown", False, seconds, output)
        caught = _FAILED.search(output)
        if has_passed or caught is None:
            return Verdict(bug.name, "SURVIVED", False, seconds, output)
        found = f"caught by {caught['test']} ({(caught['why'] or '')[:80]})"
        return Verdict(bug.name, found, True, seconds, output)

    def canary(self, bugs: Sequence[Bug]) -> Verdict:
        started = time.monotonic()
        tests = sorted({test for bug in bugs for test in bug.tests})
        has_passed, output = self.ask(tests)
        found = "nothing found, as it should be" if has_passed else "FAILED without a bug"
        return Verdict("canary", found, has_passed, time.monotonic() - started, output)


def main(words: Sequence[str]) -> int:
    bugs = [bug for bug in BUGS if all(word in bug.name for word in words)]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cliffhanger-bugs-") as folder:
        os.chmod(folder, 0o711)  # noqa: S103  as above
        fields = [Field(Path(folder) / f"field-{number}") for number in range(AT_ONCE)]
        for field in fields:
            field.folder.mkdir()
            field.make()
        verdicts = _ask_all(fields, bugs)
    wrong = [verdict for verdict in verdicts if not verdict.is_good]
    for verdict in wrong:
        print(f"\n--- {verdict.line()}\n{verdict.output[-3000:]}")  # noqa: T201
    caught = len(verdicts) - 1 - sum(verdict.name != "canary" for verdict in wrong)
    minutes = (time.monotonic() - started) / 60
    print(f"\n{caught} of {len(bugs)} bugs caught in {minutes:.1f} minutes")  # noqa: T201
    return 1 if wrong else 0


def _ask_all(fields: Sequence[Field], bugs: Sequence[Bug]) -> Sequence[Verdict]:
    free: SimpleQueue[Field] = SimpleQueue()
    for field in fields:
        free.put(field)

    def ask(bug: Bug | None) -> Verdict:
        field = free.get()
        try:
            verdict = field.sow(bug) if bug else field.canary(bugs)
        finally:
            free.put(field)
        print(verdict.line(), flush=True)  # noqa: T201
        return verdict

    with ThreadPoolExecutor(len(fields)) as pool:
        return list(pool.map(ask, [None, *bugs]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
