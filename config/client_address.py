"""Where a request comes from, as far as it can be believed.

Whoever calls may write any X-Forwarded-For. Each proxy of ours appends the address that it was called from,
so with `PROXIES_IN_FRONT` of them the one that counts is that many from the end.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

from django.conf import settings
from django.http import HttpRequest

#: What a household or a phone is given of IPv6: each of its addresses is the same caller.
IPV6_PREFIX = 64
#: What is given to a site, or kept by a provider for one place: neighbours, perhaps.
IPV4_BLOCK, IPV6_BLOCK = 24, 48


def read(request: HttpRequest) -> str | None:
    """The caller's address, of IPv6 its network; None where there is none that can be believed."""
    address = _parsed(_nearest(request))
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return None if address is None else str(address)


def block(address: str | None) -> str | None:
    """The block of neighbours that an address which `read` answered is of; None for none, and for addresses
    that are nobody's on the internet, as a proxy's or a test's."""
    if address is None:
        return None
    found = ip_interface(address).ip
    if not found.is_global:
        return None
    prefix = IPV4_BLOCK if isinstance(found, IPv4Address) else IPV6_BLOCK
    return str(ip_network((found, prefix), strict=False))


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
