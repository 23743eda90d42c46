"""What the adapter is built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PRODUCTION, SANDBOX = "production", "sandbox"


@dataclass(frozen=True, kw_only=True)
class GoogleSettings:
    """One app in Google Play, and how it tells and is asked.

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
