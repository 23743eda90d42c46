"""Stripe's amounts, which are whole numbers of a currency's smallest unit, and micros.

How many decimals a currency has is Stripe's own list (docs.stripe.com/currencies), not ISO 4217's: MGA has none
here, ISK two of which both are always zero.
"""

from payments.providers.base import Fault, ProviderError

_ZERO_DECIMALS = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905  read as prose
)
_THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
#: What can be charged of a currency, in smallest units, where that is more than one.
_STEP = {"isk": 100} | dict.fromkeys(_THREE_DECIMALS, 10)
#: Listed by Stripe as of no decimals, and as of two in the same page's special cases.
_CONTRADICTORY = frozenset({"ugx"})


def micros(amount: int, currency: str) -> int:
    """An amount of Stripe's, exactly. Raises ProviderError for a currency whose unit is not certain."""
    return amount * _micros_per_unit(currency)


def smallest_units(amount_micros: int, currency: str) -> int:
    """An amount as Stripe charges it. Raises ProviderError, MALFORMED, for what it cannot charge exactly."""
    units, rest = divmod(amount_micros, _micros_per_unit(currency))
    if rest or units % _STEP.get(currency.lower(), 1):
        raise ProviderError(
            f"{amount_micros} micros of {currency} cannot be charged", Fault.MALFORMED
        )
    return units


def _micros_per_unit(currency: str) -> int:
    code = currency.lower()
    if code in _CONTRADICTORY:
        raise ProviderError(f"Stripe documents two units of {currency}", Fault.MALFORMED)
    if code in _ZERO_DECIMALS:
        return 1_000_000
    return 1_000 if code in _THREE_DECIMALS else 10_000
