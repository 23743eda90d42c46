"""Where a request comes from, as far as it can be believed.

Whoever calls may write any X-Forwarded-For. Each proxy of ours appends the address that it was called from,
so with `PROXIES_IN_FRONT` of them the one that counts is that many from the end.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

#: What a household or a phone is given of IPv6: each of its addresses is the same caller.
IPV6_PREFIX = 64


def read(request: HttpRequest) -> str | None:
    """The caller's address, of IPv6 its network; None where there is none that can be believed."""
    address = _parsed(_nearest(request))
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return None if address is None else str(address)


def _nearest(request: HttpRequest) -> str:
    hops = settings.PROXIES_IN_FRONT
    if hops == 0:
        return str(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    return forwarded[-hops].strip() if len(forwarded) >= hops else ""


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
