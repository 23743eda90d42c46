"""A production process says everything that is unsafe about it, and serves nobody until it is safe."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings as project
from pytest_django.fixtures import Settings

from config import checks, keyring
from config.env import BadEnvironment, Environment

KEYRING = f"a:{base64.b64encode(bytes(32)).decode()}"
SAFE: Mapping[str, str] = {
    "APP_MODE": "production",
    "SECRET_KEY": "not a secret, but long enough to pass for one in a test of it 0123456789",
    "KEYRING": KEYRING,
    "ALLOWED_HOSTS": "api.example",
    "DATABASE_URL": "postgresql:///none",
    "REDIS_URL": "redis://none/0",
    "CACHE_URL": "redis://none/1",
    "FAKE_STORE_KEY": ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
}
UNSAFE: Mapping[str, str] = {
    "SECRET_KEY": "",
    "KEYRING": "",
    "ALLOWED_HOSTS": "",
    "DEBUG": "on",
    "SIMULATED_CLOCK": "on",
    "FAKE_STORE": "on",
    "FAKE_AD_NETWORK": "on",
    "ADMOB_KEYS_URL": "http://keys.example/verifier-keys.json",
    "STRIPE_API_URL": "http://stripe.example",
    "APPLE_ROOT_CERTIFICATE": "/etc/our-own-root.cer",
    "PANGLE_SECURITY_KEYS": "1:a",
    "PROVISIONAL_AD_NETWORKS": "douyin",
    "DATABASE_ROLE": "",
    "ADMIN_SECOND_FACTOR": "off",
    "EMBEDDED_DURABLE": "off",
    "CACHE_URL": "redis://none/0",
}
#: One value of a setting, and the one message that it alone brings.
ALONE = [
    ("SECRET_KEY", "", "E001"),
    ("SECRET_KEY", "x" * 49, "E001"),
    ("KEYRING", "", "E002"),
    ("KEYRING", "a", "E002"),
    ("KEYRING", "a:not base64", "E002"),
    ("KEYRING", "a:AAAA", "E002"),
    ("KEYRING", f"{KEYRING},{KEYRING}", "E002"),
    ("KEYRING", f"{KEYRING},", None),
    ("ALLOWED_HOSTS", [], "E003"),
    ("ALLOWED_HOSTS", ["*"], "E003"),
    ("ALLOWED_HOSTS", ["api.example", "*"], "E003"),
    ("ALLOWED_HOSTS", ["*.example"], "E003"),
    ("DEBUG", True, "E004"),
    ("SIMULATED_CLOCK", True, "E005"),
    ("FAKE_STORE", True, "E006"),
    ("FAKE_AD_NETWORK", True, "E010"),
    ("ADMOB_KEYS_URL", "http://keys.example/verifier-keys.json", "E011"),
    ("ADMOB_KEYS_URL", "", "E011"),
    ("ADMOB_KEYS_URL", "HTTPS://keys.example/verifier-keys.json", None),
    ("APPLE_API_URL", "http://storekit.example", "E012"),
    ("APPLE_SANDBOX_API_URL", "", "E012"),
    ("GOOGLE_API_URL", "http://play.example", "E012"),
    ("GOOGLE_TOKEN_URL", "http://tokens.example", "E012"),
    ("GOOGLE_KEYS_URL", "http://keys.example", "E012"),
    ("STRIPE_API_URL", "http://stripe.example", "E012"),
    ("APPLE_ROOT_CERTIFICATE", "/etc/our-own-root.cer", "E013"),
    ("PANGLE_SECURITY_KEYS", "1:a", "E014"),
    ("APPLOVIN_EVENT_KEYS", "a", None),
    ("AD_CALLBACK_SECRET", "x" * 31, "E014"),
    ("AD_CALLBACK_SECRET", "x/" * 20, "E014"),
    ("AD_CALLBACK_SECRET", "x" * 32, None),
    ("PROVISIONAL_AD_NETWORKS", ["douyin"], "W002"),
    ("DATABASE_ROLE", "", "E007"),
    ("ADMIN_SECOND_FACTOR", False, "E008"),
    ("EMBEDDED_DURABLE", False, "E009"),
    ("CACHE_URL", "redis://none/0", "W001"),
]


def _run(
    *arguments: str, environment: Mapping[str, str], tmp_path: Path
) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.defpath, "DATA_DIR": str(tmp_path), **environment}
    (tmp_path / "static").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *arguments],
        env=given,
        cwd=project.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def _ids(text: str) -> set[str]:
    return set(re.findall(r"\(cliffhanger\.([EW]\d+)\)", text))


@pytest.fixture
def safe(settings: Settings) -> Settings:
    """What a safe production process has set."""
    settings.PRODUCTION = True
    settings.SECRET_KEY = SAFE["SECRET_KEY"]
    settings.KEYRING = KEYRING
    settings.ALLOWED_HOSTS = ["api.example"]
    settings.DEBUG = settings.SIMULATED_CLOCK = False
    settings.FAKE_STORE = settings.FAKE_AD_NETWORK = False
    settings.ADMOB_KEYS_URL = "https://keys.example/verifier-keys.json"
    settings.DATABASE_ROLE = "cliffhanger_app"
    settings.ADMIN_SECOND_FACTOR = settings.EMBEDDED_DURABLE = True
    settings.REDIS_URL, settings.CACHE_URL = SAFE["REDIS_URL"], SAFE["CACHE_URL"]
    return settings


def test_says_nothing_of_a_safe_process(safe: Settings) -> None:
    assert checks.production_is_safe() == []


@pytest.mark.parametrize(("name", "value", "expected"), ALONE)
def test_names_the_one_unsafe_value(
    safe: Settings, name: str, value: object, expected: str | None
) -> None:
    setattr(safe, name, value)
    found = checks.production_is_safe()

    assert [message.id for message in found] == ([f"cliffhanger.{expected}"] if expected else [])
    assert all(message.hint for message in found)


def test_says_nothing_of_another_mode(safe: Settings) -> None:
    safe.PRODUCTION, safe.DEBUG, safe.FAKE_STORE = False, True, True

    assert checks.production_is_safe() == []


@pytest.mark.parametrize(("secret", "expected"), [("", ["cliffhanger.E014"]), ("x" * 32, [])])
def test_asks_for_a_secret_address_where_a_token_covers_the_event_alone(
    safe: Settings, secret: str, expected: list[str]
) -> None:
    safe.APPLOVIN_EVENT_KEYS, safe.APPLOVIN_TEMPLATE = "key", "event_token"
    safe.AD_CALLBACK_SECRET = secret

    assert [message.id for message in checks.production_is_safe()] == expected


def test_tells_no_secret(safe: Settings) -> None:
    safe.SECRET_KEY, safe.KEYRING = "short-secret", "a:c2hvcnQtc2VjcmV0"

    text = " ".join(f"{message.msg} {message.hint}" for message in checks.production_is_safe())
    assert "short-secret" not in text
    assert "c2hvcnQtc2VjcmV0" not in text


def test_every_check_has_a_value_that_trips_it() -> None:
    expected = {code for _, _, code in ALONE if code}

    assert len(checks.PRODUCTION_CHECKS) == len(expected) == len(UNSAFE)


def test_check_names_every_unsafe_value_at_once(tmp_path: Path) -> None:
    done = _run("manage.py", "check", environment={**SAFE, **UNSAFE}, tmp_path=tmp_path)

    assert done.returncode == 1
    assert _ids(done.stderr) == {code for _, _, code in ALONE if code}
    assert "Traceback" not in done.stderr


def test_the_web_server_loads_nothing_unsafe(tmp_path: Path) -> None:
    environment = {**SAFE, "FAKE_STORE": "on"}
    done = _run("-c", "import config.wsgi", environment=environment, tmp_path=tmp_path)

    assert done.returncode == 1
    assert _ids(done.stderr) == {"E006"}


def test_the_web_server_loads_a_safe_configuration_that_passes_djangos_own_list_without_the_demo(
    tmp_path: Path,
) -> None:
    code = (
        "import config.wsgi\n"
        "from django.apps import apps\n"
        "from django.core.management import call_command\n"
        "from django.urls import resolve\n"
        "call_command('check', deploy=True, fail_level='WARNING')\n"
        "print(apps.is_installed('demo'), resolve('/v1/config').route)\n"
    )
    done = _run("-c", code, environment=SAFE, tmp_path=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues (0 silenced)" in done.stdout
    assert done.stdout.splitlines()[-1] == "False v1/config"


def test_a_mode_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    environment = {**SAFE, "APP_MODE": "prod"}
    done = _run("-c", "import config.settings", environment=environment, tmp_path=tmp_path)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("config.env.BadEnvironment: APP_MODE is 'prod'")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("maybe", lambda env: env.flag("X", help="")),
        ("2", lambda env: env.flag("X", help="")),
        ("many", lambda env: env.integer("X", default=1, help="")),
        ("-1", lambda env: env.integer("X", default=1, help="")),
        ("1.5", lambda env: env.integer("X", default=1, help="")),
        ("\u0665", lambda env: env.integer("X", default=1, help="")),
        ("0", lambda env: env.integer("X", default=1, minimum=1, help="")),
        ("LOUD", lambda env: env.choice("X", choices=("INFO",), default="INFO", help="")),
    ],
)
def test_a_value_of_no_meaning_is_refused_by_name(
    value: str, read: Callable[[Environment], object]
) -> None:
    with pytest.raises(BadEnvironment, match=f"^X is '{re.escape(value)}'; "):
        read(Environment({"X": value}))


def test_a_secret_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n", encoding="utf-8")

    assert Environment({"X_FILE": str(file)}).secret("X", help="") == "from a file"
    assert Environment({"X": "as it is"}).secret("X", help="") == "as it is"
    with pytest.raises(BadEnvironment, match="both set"):
        Environment({"X": "a", "X_FILE": str(file)}).secret("X", help="")
    with pytest.raises(BadEnvironment, match=r"^X_FILE names"):
        Environment({"X_FILE": str(tmp_path / "absent")}).secret("X", help="")


def test_a_new_keyring_is_one_that_the_check_takes() -> None:
    assert list(keyring.parse(keyring.generate("a"))) == ["a"]
