"""Certificates like Apple's, from a root of our own, and what is signed with them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

#: What the extensions say: signs receipts of the App Store, and is an authority for such.
LEAF_OID = "1.2.840.113635.100.6.11.1"
INTERMEDIATE_OID = "1.2.840.113635.100.6.2.1"
ASN1_NULL = b"\x05\x00"
VALID_FOR = timedelta(days=20 * 365)
#: A demo's days begin before it was started.
KEPT_VALID_SINCE = timedelta(days=400)


@dataclass(frozen=True)
class Issued:
    """A certificate and the key that it is for."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Authority:
    """A root, in DER, and a chain down from it with whose leaf the store signs."""

    root: bytes
    x5c: tuple[str, ...]
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(
        cls,
        now: datetime,
        *,
        leaf_oid: str = LEAF_OID,
        intermediate_oid: str = INTERMEDIATE_OID,
        valid_for: timedelta = VALID_FOR,
    ) -> "Authority":
        """A new one, with certificates that hold for the strictest reading of X.509."""
        root = issued("Root CA", now, None, is_authority=True)
        intermediate = issued("Intermediate", now, root, oid=intermediate_oid, is_authority=True)
        leaf = issued("Signing", now, intermediate, oid=leaf_oid, valid_for=valid_for)
        return cls.of(root, intermediate, leaf)

    @classmethod
    def of(cls, root: Issued, intermediate: Issued, leaf: Issued) -> "Authority":
        """One of certificates that there are."""
        chain = (leaf, intermediate, root)
        return cls(
            root=root.der,
            x5c=tuple(base64.b64encode(one.der).decode() for one in chain),
            key=leaf.key,
        )

    @classmethod
    def kept(cls, folder: Path, now: datetime) -> "Authority":
        """The one of this folder, made at the first start."""
        chain, key = folder / "chain.json", folder / "signing_key.pem"
        if not chain.exists():
            made = cls.made(now - KEPT_VALID_SINCE)
            write_key(key, made.key)
            (folder / "root.der").write_bytes(made.root)
            chain.write_text(json.dumps(made.x5c), encoding="ascii")
        return cls(
            root=(folder / "root.der").read_bytes(),
            x5c=tuple(json.loads(chain.read_text(encoding="ascii"))),
            key=read_key(key),
        )

    def sign(self, payload: Mapping[str, Any], **headers: Any) -> str:
        """A JWS as the App Store makes them. `headers` are in place of its own."""
        return jwt.encode(
            dict(payload), self.key, "ES256", headers={"x5c": list(self.x5c)} | headers
        )


def issued(
    name: str,
    now: datetime,
    issuer: Issued | None,
    *,
    oid: str = "",
    is_authority: bool = False,
    valid_for: timedelta = VALID_FOR,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Issued:
    """A certificate for a key, by default a new one. Without an issuer it vouches for itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Demo Store {name}")])
    signing_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + valid_for)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(_usage(is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
    )
    if oid:
        mark = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), ASN1_NULL)
        builder = builder.add_extension(mark, critical=False)
    return Issued(builder.sign(signing_key, SHA256()), key)


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Readable by its owner alone."""
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """What `write_key` wrote."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} is not an EC key")
    return key


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
