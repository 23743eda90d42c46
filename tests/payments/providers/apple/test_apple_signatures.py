"""Apple's signatures: the real ones verify, and whatever else looks like them is refused for its reason."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from demo.stores.apple import authority
from demo.stores.apple.authority import Authority
from payments.providers.apple import settings as apple_settings
from payments.providers.apple.payloads import Transaction, moment
from payments.providers.apple.verifier import KEPT_FOR, MAXIMUM_CHAINS, Chains, Jws, Verifier
from payments.providers.base import Fault, ProviderError
from tests.payments.providers.apple.pieces import (
    APP,
    BUNDLE,
    CONSUMABLE,
    NOW,
    PAYLOADS,
    SESSION_BUNDLE,
    STORE,
    apples_notification,
    apples_settings,
    milliseconds,
    notification,
    refusal,
    settings,
    transaction,
)

OTHER = Authority.made(NOW)
VECTORS = [
    "01_DID_RENEW_NONE",
    "02_SUBSCRIBED_RESUBSCRIBE",
    "03_DID_CHANGE_RENEWAL_STATUS_AUTO_RENEW_DISABLED",
    "04_EXPIRED_VOLUNTARY",
    "06_DID_CHANGE_RENEWAL_PREF_UPGRADE",
    "13_CONSUMPTION_REQUEST_NONE",
]


def opened(signed: str, *, now: datetime = NOW, verifier: Verifier | None = None) -> Transaction:
    return (verifier or Verifier(settings())).transaction(signed, now=now)[1]


def by_apple(signed: str) -> Transaction:
    return Verifier(apples_settings()).transaction(signed, now=NOW)[1]


def test_takes_a_transaction_that_apple_signed() -> None:
    environment, found = Verifier(apples_settings()).transaction(CONSUMABLE, now=NOW)

    assert environment == "sandbox"
    assert (found.transaction_id, found.price, found.currency) == (
        "2000000847061981",
        230000,
        "JPY",
    )


@pytest.mark.parametrize("name", VECTORS)
def test_takes_all_that_apple_signed_in_a_notification(name: str) -> None:
    verifier = Verifier(apples_settings())
    signed = json.loads(apples_notification(name).body)["signedPayload"]

    environment, found = verifier.notification(signed, now=NOW)

    assert environment == "sandbox"
    told = found.about
    _, bought = verifier.transaction(told.signed_transaction_info or "", now=NOW)
    _, renewing = verifier.renewal(told.signed_renewal_info or "", now=NOW)
    assert bought.original_transaction_id == renewing.original_transaction_id


def test_takes_a_chain_of_its_configured_root() -> None:
    assert opened(STORE.sign(transaction())).transaction_id == "2000000000000001"


def test_ships_apples_root_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.der"
    other.write_bytes(STORE.root)
    monkeypatch.setattr(apple_settings, "ROOT_FILE", other)

    with pytest.raises(ValueError, match="not Apple Root CA"):
        apple_settings.apple_root()


def _leaf_alone() -> str:
    """The mistake of many: the chain's first key, believed because it came along."""
    genuine = Jws.parse(CONSUMABLE)
    x5c = (OTHER.x5c[0], *genuine.x5c[1:])
    return OTHER.sign(json.loads(genuine.payload), x5c=list(x5c))


def _unsigned(algorithm: str) -> str:
    header = {"alg": algorithm, "x5c": list(Jws.parse(CONSUMABLE).x5c)}
    return ".".join([_encoded(json.dumps(header).encode()), CONSUMABLE.split(".")[1], ""])


def _hs256() -> str:
    """With Apple's public key for a secret."""
    genuine = Jws.parse(CONSUMABLE)
    chain = Chains(apples_settings().root_certificate).checked(
        genuine.x5c, signed_at=moment(json.loads(genuine.payload)["signedDate"])
    )
    der = chain.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    header = json.dumps({"alg": "HS256", "x5c": list(genuine.x5c)}).encode()
    content = f"{_encoded(header)}.{_encoded(genuine.payload)}"
    return f"{content}.{_encoded(hmac.digest(der, content.encode(), 'sha256'))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _with_x5c(x5c: object, store: Authority = OTHER) -> str:
    return store.sign(transaction(bundleId=SESSION_BUNDLE, environment="Sandbox"), x5c=x5c)


@pytest.mark.parametrize(
    ("made", "fault", "reason"),
    [
        (lambda: _with_x5c(list(OTHER.x5c)), Fault.FORGED, "does not lead to the root"),
        (_leaf_alone, Fault.FORGED, "does not lead to the root"),
        (lambda: _with_x5c([]), Fault.FORGED, "not of 3 certificates"),
        (lambda: _with_x5c([OTHER.x5c[0]]), Fault.FORGED, "not of 3 certificates"),
        (lambda: _with_x5c(list(OTHER.x5c[:2])), Fault.FORGED, "not of 3 certificates"),
        (lambda: _with_x5c([*OTHER.x5c, OTHER.x5c[2]]), Fault.FORGED, "not of 3 certificates"),
        (lambda: _with_x5c(["AAAA"] * 3), Fault.FORGED, "a certificate cannot be read"),
        (lambda: _with_x5c(["!"] * 3), Fault.FORGED, "a certificate cannot be read"),
        (lambda: _with_x5c(OTHER.x5c[0]), Fault.MALFORMED, "not a _Header"),
        (lambda: _with_x5c([1, 2, 3]), Fault.MALFORMED, "not a _Header"),
        (lambda: _unsigned("none"), Fault.FORGED, "signed with 'none', not ES256"),
        (lambda: _unsigned("ES256"), Fault.FORGED, "not of 64 bytes"),
        (_hs256, Fault.FORGED, "signed with 'HS256', not ES256"),
        (lambda: _unsigned("ES384"), Fault.FORGED, "signed with 'ES384', not ES256"),
        (lambda: CONSUMABLE[:-4] + "AAAA", Fault.FORGED, "the signature does not match"),
        (lambda: CONSUMABLE + ".", Fault.MALFORMED, "three parts"),
        (lambda: CONSUMABLE + "=", Fault.MALFORMED, "base64url"),
        (lambda: CONSUMABLE + "\ud800", Fault.MALFORMED, "base64url"),
        (lambda: "", Fault.MALFORMED, "three parts"),
        (lambda: "a.b.c", Fault.MALFORMED, "base64url"),
        (lambda: "x" * 300_000, Fault.MALFORMED, "longer than 256 KB"),
    ],
)
def test_refuses_what_is_forged(made: Callable[[], str], fault: Fault, reason: str) -> None:
    found_fault, found_reason = refusal(lambda: by_apple(made()))

    assert (found_fault, reason in found_reason) == (fault, True), found_reason


@pytest.mark.parametrize("name", ["mock_testNotification", "mock_transactionInfo"])
def test_refuses_what_apples_library_signs_for_its_own_tests(name: str) -> None:
    signed = (PAYLOADS / f"{name}.jws").read_text(encoding="ascii").strip()
    verifier = Verifier(apples_settings(apps={"com.example": 1234}))

    assert refusal(lambda: verifier.notification(signed, now=NOW))[0] is Fault.FORGED


def test_refuses_certificates_that_are_not_strictly_right() -> None:
    """That library's authority has no identifiers of keys, which strictness asks for."""
    signed = (PAYLOADS / "mock_testNotification.jws").read_text(encoding="ascii").strip()
    root = (PAYLOADS / "test_ca.der").read_bytes()
    verifier = Verifier(settings(apps={"com.example": 1234}, root_certificate=root))

    assert refusal(lambda: verifier.notification(signed, now=NOW))[0] is Fault.FORGED


@pytest.mark.parametrize(
    ("marks", "missing"),
    [
        ({"leaf_oid": ""}, authority.LEAF_OID),
        ({"intermediate_oid": ""}, authority.INTERMEDIATE_OID),
        ({"leaf_oid": authority.INTERMEDIATE_OID}, authority.LEAF_OID),
        ({"intermediate_oid": authority.LEAF_OID}, authority.INTERMEDIATE_OID),
    ],
)
def test_refuses_certificates_that_are_for_something_else(
    marks: dict[str, str], missing: str
) -> None:
    """Apple's root vouches for much besides the App Store."""
    store = Authority.made(NOW, **marks)
    verifier = Verifier(settings(root_certificate=store.root))

    fault, reason = refusal(lambda: opened(store.sign(transaction()), verifier=verifier))

    assert (fault, missing in reason) == (Fault.FORGED, True), reason


@pytest.mark.parametrize("by", [timedelta(days=-2), timedelta(days=31)])
def test_refuses_a_certificate_that_was_not_valid_when_it_signed(by: timedelta) -> None:
    store = Authority.made(NOW, valid_for=timedelta(days=30))
    verifier = Verifier(settings(root_certificate=store.root))
    assert opened(store.sign(transaction()), verifier=verifier)  # the chain is kept

    late = store.sign(transaction(signedDate=milliseconds(NOW + by)))
    for one in (verifier, Verifier(settings(root_certificate=store.root))):
        assert refusal(lambda one=one: opened(late, verifier=one))[0] is Fault.FORGED


def test_takes_what_was_signed_before_a_certificate_ran_out() -> None:
    store = Authority.made(NOW, valid_for=timedelta(days=30))
    verifier = Verifier(settings(root_certificate=store.root))
    signed = store.sign(transaction())

    for days in (0, 29, 31, 400, 0):
        assert opened(signed, now=NOW + timedelta(days=days), verifier=verifier)


MARKS = {"leaf": authority.LEAF_OID, "middle": authority.INTERMEDIATE_OID}


def _no_authority() -> Authority:
    """An intermediate that may sign nothing."""
    root = authority.issued("Root", NOW, None, is_authority=True)
    middle = authority.issued("Middle", NOW, root, oid=MARKS["middle"])
    return Authority.of(root, middle, authority.issued("Leaf", NOW, middle, oid=MARKS["leaf"]))


def _past_intermediate() -> Authority:
    root = authority.issued("Root", NOW, None, is_authority=True)
    middle = authority.issued(
        "Middle",
        NOW - timedelta(days=9),
        root,
        oid=MARKS["middle"],
        is_authority=True,
        valid_for=timedelta(days=1),
    )
    return Authority.of(root, middle, authority.issued("Leaf", NOW, middle, oid=MARKS["leaf"]))


def _leaf_of_the_root() -> Authority:
    """The intermediate is only there to make three."""
    root = authority.issued("Root", NOW, None, is_authority=True)
    middle = authority.issued("Middle", NOW, root, oid=MARKS["middle"], is_authority=True)
    return Authority.of(root, middle, authority.issued("Leaf", NOW, root, oid=MARKS["leaf"]))


def _leaf_of_another() -> Authority:
    root = authority.issued("Root", NOW, None, is_authority=True)
    middle = authority.issued("Middle", NOW, root, oid=MARKS["middle"], is_authority=True)
    other = authority.issued("Middle", NOW, root, oid=MARKS["middle"], is_authority=True)
    return Authority.of(root, middle, authority.issued("Leaf", NOW, other, oid=MARKS["leaf"]))


def _leaf_that_signs_leaves() -> Authority:
    """Whoever has the App Store's leaf is no authority by that."""
    root = authority.issued("Root", NOW, None, is_authority=True)
    middle = authority.issued("Middle", NOW, root, oid=MARKS["middle"], is_authority=True)
    leaf = authority.issued("Leaf", NOW, middle, oid=MARKS["leaf"])
    return Authority.of(root, leaf, authority.issued("Own", NOW, leaf, oid=MARKS["leaf"]))


@pytest.mark.parametrize(
    "made",
    [
        _no_authority,
        _past_intermediate,
        _leaf_of_the_root,
        _leaf_of_another,
        _leaf_that_signs_leaves,
    ],
)
def test_refuses_a_chain_that_is_not_one(made: Callable[[], Authority]) -> None:
    store = made()
    verifier = Verifier(settings(root_certificate=store.root))

    fault, _ = refusal(lambda: opened(store.sign(transaction()), verifier=verifier))

    assert fault is Fault.FORGED


def test_refuses_a_leaf_of_another_curve() -> None:
    root = authority.issued("Root", NOW, None, is_authority=True)
    middle = authority.issued(
        "Middle", NOW, root, oid=authority.INTERMEDIATE_OID, is_authority=True
    )
    leaf = authority.issued(
        "Leaf", NOW, middle, oid=authority.LEAF_OID, key=ec.generate_private_key(ec.SECP384R1())
    )
    store = Authority.of(root, middle, leaf)
    verifier = Verifier(settings(root_certificate=store.root))
    signed = OTHER.sign(transaction(), x5c=list(store.x5c))

    assert refusal(lambda: opened(signed, verifier=verifier)) == (
        Fault.FORGED,
        "the leaf's key is not of P-256",
    )


@pytest.mark.parametrize("error", [ValueError("no"), UnsupportedAlgorithm("no")])
def test_refuses_a_certificate_that_one_library_reads_and_another_does_not(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def read(*_: object) -> None:
        raise error

    verifier = Verifier(settings())
    monkeypatch.setattr(x509, "load_der_x509_certificate", read)

    assert refusal(lambda: opened(STORE.sign(transaction()), verifier=verifier)) == (
        Fault.FORGED,
        "a certificate cannot be read: no",
    )


def test_refuses_an_extension_of_the_format() -> None:
    for header in ({"crit": ["b64"]}, {"b64": False}):
        fault, reason = refusal(lambda header=header: opened(STORE.sign(transaction(), **header)))
        assert (fault, reason) == (Fault.MALFORMED, "the header asks for an extension")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"bundleId": "com.example"}, Fault.FOREIGN),
        ({"environment": "Xcode"}, Fault.OTHER_ENVIRONMENT),
        ({"environment": "LocalTesting"}, Fault.OTHER_ENVIRONMENT),
        ({"environment": "Moon"}, Fault.OTHER_ENVIRONMENT),
        ({"environment": None}, Fault.MALFORMED),
        ({"signedDate": None}, Fault.MALFORMED),
        ({"signedDate": "soon"}, Fault.MALFORMED),
        ({"signedDate": -1}, Fault.MALFORMED),
        ({"signedDate": 10**30}, Fault.MALFORMED),
        ({"transactionId": None}, Fault.MALFORMED),
        ({"transactionId": ""}, Fault.MALFORMED),
        ({"transactionId": "1\x00"}, Fault.MALFORMED),
        ({"price": -1}, Fault.MALFORMED),
        ({"price": 4.99}, Fault.MALFORMED),
        ({"quantity": 0}, Fault.MALFORMED),
        ({"currency": "dollars"}, Fault.MALFORMED),
        ({"revocationPercentage": 100_001}, Fault.MALFORMED),
    ],
)
def test_refuses_what_is_signed_and_not_for_us(changed: dict[str, object], fault: Fault) -> None:
    assert refusal(lambda: opened(STORE.sign(transaction(**changed))))[0] is fault


def test_refuses_an_environment_that_is_not_served() -> None:
    for served, other in (("production", "Sandbox"), ("sandbox", "Production")):
        verifier = Verifier(settings(environments=[served]))
        signed = STORE.sign(transaction(environment=other))
        fault, _ = refusal(lambda v=verifier, s=signed: opened(s, verifier=v))
        assert fault is Fault.OTHER_ENVIRONMENT


def test_refuses_what_xcode_signed() -> None:
    """Anybody's Xcode signs with a certificate of its own."""
    signed = (PAYLOADS / "xcode_transaction.jws").read_text(encoding="ascii").strip()
    apps = {"com.example.naturelab.backyardbirds.example": 1}

    assert refusal(lambda: Verifier(apples_settings(apps=apps)).transaction(signed, now=NOW))[
        0
    ] is (Fault.FORGED)
    believing = Verifier(apples_settings(apps=apps, takes_unsigned=True))
    assert believing.transaction(signed, now=NOW)[0] == "sandbox"


def test_believes_nothing_else_where_it_believes_xcode() -> None:
    believing = Verifier(settings(takes_unsigned=True))

    assert refusal(lambda: opened(OTHER.sign(transaction()), verifier=believing))[0] is (
        Fault.FORGED
    )


def _told(**about: object) -> str:
    return str(json.loads(notification("TEST", about=about).body)["signedPayload"])


@pytest.mark.parametrize(
    ("about", "fault"),
    [
        ({"bundleId": "com.example"}, Fault.FOREIGN),
        ({"bundleId": None}, Fault.FOREIGN),
        ({"appAppleId": APP + 1}, Fault.FOREIGN),
        ({"appAppleId": None}, Fault.FOREIGN),
        ({"environment": "Xcode"}, Fault.OTHER_ENVIRONMENT),
        ({"environment": None}, Fault.OTHER_ENVIRONMENT),
    ],
)
def test_refuses_a_notification_for_another_app(about: dict[str, object], fault: Fault) -> None:
    verifier = Verifier(settings())
    assert verifier.notification(_told(), now=NOW)[0] == "production"

    assert refusal(lambda: verifier.notification(_told(**about), now=NOW))[0] is fault


def test_asks_for_the_apps_number_in_production_alone() -> None:
    verifier = Verifier(settings(apps={BUNDLE: None}, environments=["sandbox"]))
    signed = _told(environment="Sandbox", appAppleId=None)

    assert verifier.notification(signed, now=NOW)[0] == "sandbox"


@pytest.mark.parametrize(
    "changed",
    [
        {"apps": {}},
        {"apps": {BUNDLE: None}},
        {"environments": []},
        {"environments": ["production", "moon"]},
    ],
)
def test_is_not_built_from_settings_that_verify_nothing(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bundle id|environments"):
        settings(**changed)


def test_shows_no_key_in_its_settings() -> None:
    assert "PRIVATE KEY" not in repr(settings())


def test_does_not_check_a_chain_again_that_it_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = _count_checks(monkeypatch)
    verifier = Verifier(settings())

    for number in range(5):
        opened(STORE.sign(transaction(transactionId=str(number))), verifier=verifier)

    assert len(checked) == 1


def test_checks_a_chain_again_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = _count_checks(monkeypatch)
    verifier = Verifier(settings())
    signed = STORE.sign(transaction())

    for after in (timedelta(0), KEPT_FOR - timedelta(seconds=1), KEPT_FOR, timedelta(hours=1)):
        opened(signed, now=NOW + after, verifier=verifier)

    assert len(checked) == 3  # the last is a clock that went back


def test_remembers_no_chain_under_which_no_signature_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else strangers would push the store's out: certificates are no secret."""
    checked = _count_checks(monkeypatch)
    verifier = Verifier(settings())
    stolen = OTHER.sign(transaction(), x5c=list(STORE.x5c))

    for _ in range(3):
        assert refusal(lambda: opened(stolen, verifier=verifier))[0] is Fault.FORGED
    assert len(checked) == 3

    opened(STORE.sign(transaction()), verifier=verifier)
    assert refusal(lambda: opened(stolen, verifier=verifier))[0] is Fault.FORGED
    assert len(checked) == 4


def test_remembers_few_chains() -> None:
    verifier = Verifier(settings())
    for number in range(MAXIMUM_CHAINS + 5):
        x5c = [*STORE.x5c[:2], str(number)]
        opened(STORE.sign(transaction(), x5c=x5c), verifier=verifier)

    assert len(verifier._chains._kept) == MAXIMUM_CHAINS


@pytest.mark.parametrize("place", [0, 1])
def test_does_not_take_one_chain_for_another(place: int) -> None:
    """A genuine chain that is remembered vouches for no certificate put into it."""
    verifier = Verifier(settings())
    opened(STORE.sign(transaction()), verifier=verifier)
    x5c = list(STORE.x5c)
    x5c[place] = OTHER.x5c[place]

    assert refusal(lambda: opened(OTHER.sign(transaction(), x5c=x5c), verifier=verifier))[0] is (
        Fault.FORGED
    )


def test_takes_what_was_signed_long_ago() -> None:
    assert Verifier(apples_settings()).transaction(CONSUMABLE, now=datetime(2100, 1, 1, tzinfo=UTC))


def _count_checks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    checked: list[object] = []
    original = Chains.checked

    def counted(self: Chains, *args: object, **kwargs: object) -> object:
        checked.append(args)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Chains, "checked", counted)
    return checked


def test_is_not_built_from_a_root_that_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="root certificate"):
        Verifier(settings(root_certificate=b"root"))


def test_says_that_nothing_passes_with_time() -> None:
    with pytest.raises(ProviderError) as refused:
        by_apple("")
    assert refused.value.permanent
