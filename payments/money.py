"""Money as integers that carry their unit: coins, and micros (millionths) of a currency."""

from config.bodies import AnswerShape

PARTS_PER_MILLION = 1_000_000


class Money(AnswerShape):
    """An amount of a currency, in micros: 4_990_000 USD is 4.99 dollars."""

    amount_micros: int
    currency: str


def share(amount_micros: int, *, parts_per_million: int) -> int:
    """`parts_per_million` of an amount, rounded down to the micro."""
    return amount_micros * parts_per_million // PARTS_PER_MILLION
