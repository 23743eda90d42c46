from viewers.models.viewers import (
    API_KEY_NAME_CHARACTERS,
    SHA256_BYTES,
    ApiKey,
    Device,
    Environment,
    Identity,
    IdentityProvider,
    Platform,
    RefreshToken,
    Scope,
    Viewer,
)

__all__ = [
    "API_KEY_NAME_CHARACTERS",
    "SHA256_BYTES",
    "ApiKey",
    "Device",
    "Environment",
    "Identity",
    "IdentityProvider",
    "Platform",
    "RefreshToken",
    "Scope",
    "Viewer",
]
