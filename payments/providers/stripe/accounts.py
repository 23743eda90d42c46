"""Stripe's live and test accounts behind one address: each message says which of them it is of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from payments.providers.base import (
    Facts,
    Fault,
    Known,
    Listed,
    Message,
    ProviderError,
    RawMessage,
)
from payments.providers.stripe import webhooks
from payments.providers.stripe.adapter import StripeAdapter


class StripeAccounts:
    """See ProviderAdapter: those of the account that is meant, by environment."""

    def __init__(self, accounts: Mapping[str, StripeAdapter]) -> None:
        self._accounts = accounts

    def of(self, environment: str) -> StripeAdapter:
        """The account of an environment. Raises ProviderError, OTHER_ENVIRONMENT."""
        found = self._accounts.get(environment)
        if found is None:
            raise ProviderError(f"no account of {environment}", Fault.OTHER_ENVIRONMENT)
        return found

    def close(self) -> None:
        """Ends every account's connections."""
        for account in self._accounts.values():
            account.close()

    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        """See ProviderAdapter. Checkouts say whose they are; a payment is looked for in one account, then in the
        other."""
        if handed_in.startswith(("cs_live_", "cs_test_")):
            environment = "sandbox" if handed_in.startswith("cs_test_") else "production"
            return self.of(environment).submitted(handed_in, now=now)
        refusal = ProviderError("no account is configured", Fault.OTHER_ENVIRONMENT)
        for account in self._accounts.values():
            try:
                return account.submitted(handed_in, now=now)
            except ProviderError as error:
                if not error.permanent:
                    raise
                refusal = error
        raise refusal

    def read_message(self, message: RawMessage, *, now: datetime) -> Message:
        """See ProviderAdapter. Whose it is, its signature says: nothing in it is believed before."""
        refusal = ProviderError("no account is configured", Fault.FORGED)
        for account in self._accounts.values():
            try:
                return account.read_message(message, now=now)
            except ProviderError as error:
                if error.fault is not Fault.FORGED:
                    raise
                refusal = error
        raise refusal

    def facts_of(self, message: RawMessage, *, now: datetime) -> Facts:
        """See ProviderAdapter."""
        return self._meant(message).facts_of(message, now=now)

    def subscription(self, *, environment: str, subscription_id: str, now: datetime) -> Facts:
        """See ProviderAdapter."""
        return self.of(environment).subscription(
            environment=environment, subscription_id=subscription_id, now=now
        )

    def give_back(
        self,
        *,
        environment: str,
        transaction_id: str,
        refund_id: str,
        amount_micros: int,
        now: datetime,
    ) -> None:
        """See GivesBack."""
        self.of(environment).refund(
            transaction_id,
            amount_micros=amount_micros,
            refund_id=refund_id,
            idempotency_key=refund_id,
            now=now,
        )

    def histories(self) -> Sequence[str]:
        """See ProviderAdapter."""
        return tuple(self._accounts)

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        """See ProviderAdapter."""
        return self.of(environment).missed(environment=environment, since=since, until=until)

    def listed_environments(self) -> Sequence[str]:
        """See Lists."""
        return tuple(self._accounts)

    def listed(
        self,
        *,
        environment: str,
        since: datetime,
        until: datetime,
        known: Iterable[Known],
        now: datetime,
    ) -> Iterator[Listed]:
        """See Lists."""
        return self.of(environment).listed(
            environment=environment, since=since, until=until, known=known, now=now
        )

    def looked_up(self, known: Known, *, now: datetime) -> Facts:
        """See Lists."""
        return self.of(known.environment).looked_up(known, now=now)

    def _meant(self, message: RawMessage) -> StripeAdapter:
        return self.of(webhooks.read(message.body).environment)
