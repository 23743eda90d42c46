"""What the adapter is built from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PRODUCTION, SANDBOX = "production", "sandbox"

_PACKAGE = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_SUBSCRIPTION = re.compile(r"projects/[^/\s]+/subscriptions/[^/\s]+")


@dataclass(frozen=True, kw_only=True)
class GoogleSettings:
    """One app in Google Play, and how it tells and is asked. Raises ValueError for what could not work.

    `service_account` is the key file's document. A push is taken that names `push_audience` and is signed for
    `push_email`, about `push_subscription` ("projects/<project>/subscriptions/<name>"). `environments` are those
    that are served: Google keeps test purchases beside the others. Its messages do not say which it is, and are
    all filed under `environment`.
    """

    package_name: str
    service_account: Mapping[str, str] = field(repr=False)
    push_audience: str
    push_email: str
    push_subscription: str
    environment: str = PRODUCTION
    environments: frozenset[str] = frozenset({PRODUCTION, SANDBOX})
    api_url: str = "https://androidpublisher.googleapis.com"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    keys_url: str = "https://www.googleapis.com/oauth2/v3/certs"

    def __post_init__(self) -> None:
        if not _PACKAGE.fullmatch(self.package_name):
            raise ValueError(f"no package name of an app: {self.package_name!r:.100}")
        if not self.push_audience:
            raise ValueError("without an audience no push could be for us")
        if not _EMAIL.fullmatch(self.push_email):
            raise ValueError("without the address of who signs pushes anybody could")
        if not _SUBSCRIPTION.fullmatch(self.push_subscription):
            raise ValueError("pushes are of a projects/…/subscriptions/…")
        if not self.environments or not self.environments <= {PRODUCTION, SANDBOX}:
            raise ValueError("environments are some of production and sandbox")
