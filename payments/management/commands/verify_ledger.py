"""`manage.py verify_ledger`: exit 0 when every rule of the ledger holds, 1 with what does not."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.ledger import verification
from payments.ledger.days import digests
from payments.ledger.verification import Finding


class Command(BaseCommand):
    help = "Re-add the whole ledger, recompute the digests of its days, and name what is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rules-only", action="store_true", help="Leave the digests of past days out."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._verbosity = options["verbosity"]
        with verification.snapshot():
            broken = sum(finding.count for finding in self._rules())
            mismatch = None if options["rules_only"] else self._digests()
        if broken or mismatch:
            days = " and a day that is not what was sealed" if mismatch else ""
            raise CommandError(f"{broken} violations{days}.")
        self.stdout.write(f"{len(verification.rules())} rules hold.")

    def _rules(self) -> Iterator[Finding]:
        for rule, sql in verification.rules().items():
            began = time.monotonic()
            finding = verification.check(rule, sql)
            self._took(began, rule)
            for violation in finding.named:
                self.stdout.write(f"{violation.rule}: {violation.row_id} ({violation.detail})")
            if finding.count > len(finding.named):
                self.stdout.write(f"{rule}: {finding.count - len(finding.named)} more")
            yield finding

    def _digests(self) -> digests.Mismatch | None:
        began = time.monotonic()
        mismatch = digests.first_mismatch()
        self._took(began, "past days are what was sealed")
        if mismatch:
            self.stdout.write(f"{mismatch.day} is not what was sealed: {mismatch.reason}")
        return mismatch

    def _took(self, began: float, what: str) -> None:
        if self._verbosity > 1:
            self.stdout.write(f"{time.monotonic() - began:6.2f} s  {what}")
