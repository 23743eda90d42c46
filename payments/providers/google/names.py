"""How a purchase, and each line of several in one, is named.

A purchase token names all that was bought with it. Where that is more than one product, each has a name of its
own, `<token>#<product>`; so has each line of an order. Neither a token nor a product id has a `#`.
"""

import re
from collections.abc import Iterator, Sequence

from payments.providers.base import Fault, ProviderError

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,1500}")
_PRODUCT = re.compile(r"[A-Za-z0-9._-]{1,150}")
_ORDER = re.compile(r"[A-Za-z0-9._-]{1,100}")
#: A renewal's order: `..0` ends that of the second period.
RENEWAL = re.compile(r"(.+)\.\.([0-9]{1,6})")


def line_name(token_or_order: str, product_id: str, *, lines: int) -> str:
    """The name of one line of as many."""
    return token_or_order if lines == 1 else f"{token_or_order}#{product_id}"


def line_names(token_or_order: str, product_ids: Sequence[str]) -> Sequence[str]:
    """The names of all lines; of none, that of the whole."""
    if not product_ids:
        return [token_or_order]
    count = len(product_ids)
    return [line_name(token_or_order, product_id, lines=count) for product_id in product_ids]


def names_before(name: str) -> Iterator[str]:
    """The names of the periods before one, the latest first. The first of all has no number."""
    order_id, mark, product_id = name.partition("#")
    renewal = RENEWAL.fullmatch(order_id)
    if renewal is None:
        return
    first = renewal[1]
    for number in reversed(range(int(renewal[2]))):
        yield f"{first}..{number}{mark}{product_id}"
    yield f"{first}{mark}{product_id}"


def token_of(name: str) -> str:
    """The purchase token in the name of a purchase or a line. Raises ProviderError (MALFORMED)."""
    return _checked(name.partition("#")[0], _TOKEN, "purchase token")


def checked_product(product_id: str) -> str:
    """A product id as Google takes it. Raises ProviderError (MALFORMED)."""
    return _checked(product_id, _PRODUCT, "product id")


def checked_order(order_id: str) -> str:
    """An order id as Google writes it. Raises ProviderError (MALFORMED)."""
    return _checked(order_id, _ORDER, "order id")


def _checked(text: str, form: re.Pattern[str], what: str) -> str:
    # Dots alone would climb in a path.
    if not form.fullmatch(text) or not text.strip("."):
        raise ProviderError(f"not a {what}: {text!r:.60}", Fault.MALFORMED)
    return text
