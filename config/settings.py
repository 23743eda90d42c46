"""Settings, all from the environment. docs/configuration.md lists every variable.

Three modes: `production` (the default, in which system checks refuse unsafe values), `demo` (one
machine, secrets made on first start, the fake store open) and `test`.
"""

import gc
import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import django_stubs_ext
from kombu.entity import Exchange, Queue

from config.admin_theme import UNFOLD  # noqa: F401  read by django-unfold
from config.env import BadEnvironment, Environment

# What is imported stays: to look through it for garbage meanwhile is a fifth of a start. The last app
# to be ready, `config.admin_app`, ends this.
gc.set_threshold(1_000_000)
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(os.environ)

MODE = env.choice(
    "APP_MODE",
    choices=("production", "demo", "test"),
    default="production",
    help="What this process is for. Only `production` may face the internet; the other two turn on "
    "the fake store, the simulated clock and generated secrets.",
)
PRODUCTION = MODE == "production"
DATA_DIR = env.path(
    "DATA_DIR",
    default=BASE_DIR / ".data",
    shown="`.data` in the project",
    help="Where the embedded services, local media and generated secrets live.",
)
DEBUG = env.flag("DEBUG", help="Django's debug pages. Refused in production.")


# --- Secrets ---------------------------------------------------------------------------------


def _secret_or_generated(name: str, given: str) -> str:
    """Outside production a missing secret is made once and kept, private, under DATA_DIR."""
    if given or PRODUCTION:
        return given
    from config.generated_secrets import keep

    return keep(name, DATA_DIR / "secrets")


SECRET_KEY = _secret_or_generated(
    "SECRET_KEY",
    env.secret("SECRET_KEY", help="Signs admin sessions. At least 50 characters in production."),
)
SECRET_KEY_FALLBACKS = env.words(
    "SECRET_KEY_FALLBACKS", help="Former SECRET_KEYs that still verify, during a rotation."
)
KEYRING = _secret_or_generated(
    "KEYRING",
    env.secret(
        "KEYRING",
        help="Signing keys for tokens, quotes and playback URLs: `id:base64` entries, comma "
        "separated, 32 bytes or more each. The first signs, all verify.",
    ),
)

# --- Web -------------------------------------------------------------------------------------

ALLOWED_HOSTS = env.words(
    "ALLOWED_HOSTS",
    default="" if PRODUCTION else "localhost,127.0.0.1,[::1],testserver",
    shown="`localhost,127.0.0.1,[::1],testserver`; none in production",
    help="Host names this service answers to. A wildcard is refused in production.",
)
CSRF_TRUSTED_ORIGINS = env.words(
    "CSRF_TRUSTED_ORIGINS", help="Origins the admin is served from, with scheme."
)
PUBLIC_URL = env.text(
    "PUBLIC_URL",
    default="",
    help="Scheme and host that playback and media URLs start with. Empty: relative to the request.",
).rstrip("/")
BEHIND_TLS_PROXY = env.flag(
    "BEHIND_TLS_PROXY",
    default=PRODUCTION,
    shown="`on` in production, else `off`",
    help="Trust X-Forwarded-Proto from the proxy in front, and send secure cookies and HSTS.",
)
PROXIES_IN_FRONT = env.integer(
    "PROXIES_IN_FRONT",
    default=1 if BEHIND_TLS_PROXY else 0,
    shown="1 behind a TLS proxy, else 0",
    help="How many proxies of yours add an address to X-Forwarded-For. Where a caller comes from is "
    "believed as the outermost of them says.",
)

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "config",
    "viewers",
    "catalog",
    "payments",
    "ads",
    "analytics",
    "demo",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_linear_migrations",
    "config.admin_app.OperatorsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]
if PRODUCTION:
    INSTALLED_APPS.remove("demo")

MIDDLEWARE = [
    "analytics.views.admission.TurnAway",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.request_clock.RequestClock",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "config.second_factor.middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_SAMESITE = "Strict"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz)$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_SECURE = True
    CSRF_COOKIE_NAME = "__Host-csrftoken"
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

# --- Database, broker and cache --------------------------------------------------------------

DATABASE_URL = env.secret(
    "DATABASE_URL",
    help="PostgreSQL 18 or later, as its owner: `postgresql://user:password@host:5432/name`. Unset "
    "together with REDIS_URL: services embedded under DATA_DIR are started.",
)
REDIS_URL = env.secret(
    "REDIS_URL",
    help="Redis for the task queue, `redis://host:6379/0`; it must keep everything (`noeviction`).",
)
CACHE_URL = env.secret(
    "CACHE_URL",
    help="Redis for the cache, evicting (`allkeys-lru`); a different process than REDIS_URL's.",
)
DATABASE_ROLE = env.text(
    "DATABASE_ROLE",
    default="cliffhanger_app",
    help="The role every connection but `migrate` assumes: it can read the ledger, not write it.",
)
DATABASE_POOL_SIZE = env.integer(
    "DATABASE_POOL_SIZE", default=8, minimum=1, help="Connections per process, one per thread."
)
EMBEDDED_DURABLE = env.flag(
    "EMBEDDED_DURABLE",
    default=True,
    help="Whether the embedded PostgreSQL waits for the disk at each commit. Off only in tests "
    "that lose nothing by it.",
)

if DATABASE_URL or REDIS_URL:
    if not (DATABASE_URL and REDIS_URL):
        raise BadEnvironment("Set DATABASE_URL and REDIS_URL together, or neither.")
    CACHE_URL = CACHE_URL or REDIS_URL
else:
    from config import embedded

    _services = embedded.acquire(DATA_DIR, fsync=EMBEDDED_DURABLE)
    DATABASE_URL = _services.database_url
    REDIS_URL, CACHE_URL = _services.broker_url, _services.cache_url

_database = urlsplit(DATABASE_URL)
_database_query = dict(parse_qsl(_database.query))
DATABASES = {
    "default": {
        "ENGINE": "config.postgresql",
        "NAME": unquote(_database.path.removeprefix("/")),
        "USER": unquote(_database.username or ""),
        "PASSWORD": unquote(_database.password or ""),
        "HOST": _database.hostname or _database_query.pop("host", ""),
        "PORT": str(_database.port or ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_database_query,
            "assume_role": DATABASE_ROLE or None,
            "pool": {
                "min_size": 1,
                "max_size": DATABASE_POOL_SIZE,
                "timeout": 2,
                "reconnect_timeout": 2,
            },
            "options": "-c statement_timeout=5s -c lock_timeout=2s"
            " -c idle_in_transaction_session_timeout=10s -c timezone=UTC",
        },
    }
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL},
    "local": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 2000},
    },
}

# --- Media and static files ------------------------------------------------------------------

S3_BUCKET = env.text(
    "S3_BUCKET",
    help="Keep media in this bucket (with the usual AWS_* credentials) instead of disk.",
)
S3_ENDPOINT_URL = env.text("S3_ENDPOINT_URL", help="An S3-compatible service other than AWS.")
S3_REGION = env.text("S3_REGION", help="The bucket's region.")
MEDIA_ROOT = DATA_DIR / "media"
MEDIA_UPLOAD_BYTES = env.integer(
    "MEDIA_UPLOAD_BYTES",
    default=512 * 1024 * 1024,
    minimum=1,
    help="The largest poster or video that the pipeline may upload.",
)
STATIC_URL = "/static/"
STATIC_ROOT = env.path(
    "STATIC_ROOT",
    default=DATA_DIR / "static",
    shown="`static` in DATA_DIR",
    help="Where `collectstatic` gathers the admin's assets.",
)
if not PRODUCTION:
    # Served from where the apps keep them; WhiteNoise still wants the folder to be there.
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = not PRODUCTION
_s3 = {
    "bucket_name": S3_BUCKET,
    "endpoint_url": S3_ENDPOINT_URL or None,
    "region_name": S3_REGION or None,
    "file_overwrite": False,
    "querystring_expire": 300,
    "signature_version": "s3v4",
}
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": MEDIA_ROOT, "base_url": "/media/"},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
STORAGES["lake"] = {
    "BACKEND": "analytics.lake.durable_files.DurableFiles",
    "OPTIONS": {"location": DATA_DIR / "lake", "allow_overwrite": True},
}
STORAGES["exports"] = {
    "BACKEND": "analytics.lake.durable_files.DurableFiles",
    "OPTIONS": {"location": DATA_DIR / "exports", "allow_overwrite": True},
}
if S3_BUCKET:
    STORAGES["default"] = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": _s3}
    STORAGES["lake"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": _s3 | {"location": "lake", "file_overwrite": True},
    }
    STORAGES["exports"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": _s3 | {"location": "exports", "file_overwrite": True},
    }

# --- API -------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["config.rendering.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "config.openapi.OperationSchema",
    "EXCEPTION_HANDLER": "config.api_errors.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Cliffhanger",
    "DESCRIPTION": "The paywall and monetization backend for micro-drama apps.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/v1",
    "PREPROCESSING_HOOKS": ["config.openapi.keep_versioned"],
    "POSTPROCESSING_HOOKS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": False,
}

# --- Money and access ------------------------------------------------------------------------

SIMULATED_CLOCK = env.flag(
    "SIMULATED_CLOCK",
    default=not PRODUCTION,
    shown="`off` in production, else `on`",
    help="Honour the signed X-Clock header. Refused in production.",
)
FAKE_STORE = env.flag(
    "FAKE_STORE",
    default=not PRODUCTION,
    shown="`off` in production, else `on`",
    help="Accept purchases of the fake store and serve its checkout. Refused in production.",
)
FAKE_STORE_KEY = _secret_or_generated(
    "FAKE_STORE_KEY",
    env.secret("FAKE_STORE_KEY", help="The fake store's private key (EC P-256, PEM)."),
)
FAKE_STORE_BOOKS = env.text(
    "FAKE_STORE_BOOKS",
    help="A file in which the fake store remembers what it sold, so that it can be reconciled. Empty: it "
    "remembers nothing.",
)
STORE_REPORTS_FOLDER = env.text(
    "STORE_REPORTS_FOLDER",
    help="Files of what stores settled are read from `<provider>/<environment>/` below it, once a day. Empty: "
    "operators bring them.",
)
APPLE_APPS = env.words(
    "APPLE_APPS",
    help="Bundle ids sold in, each with its number in the App Store: `com.example.app:1234567890`. Empty "
    "switches Apple off.",
)
APPLE_ENVIRONMENTS = env.words(
    "APPLE_ENVIRONMENTS",
    default="production,sandbox",
    help="Whose purchases are taken: TestFlight and App Review buy in the sandbox.",
)
APPLE_ISSUER_ID = env.text("APPLE_ISSUER_ID", help="Of the In-App Purchase key.")
APPLE_KEY_ID = env.text("APPLE_KEY_ID", help="Of the In-App Purchase key.")
APPLE_PRIVATE_KEY = env.secret(
    "APPLE_PRIVATE_KEY", help="The In-App Purchase key of App Store Connect, in PEM."
)
APPLE_API_URL = env.text(
    "APPLE_API_URL",
    default="https://api.storekit.apple.com",
    help="The App Store Server API. In production https only.",
)
APPLE_SANDBOX_API_URL = env.text(
    "APPLE_SANDBOX_API_URL",
    default="https://api.storekit-sandbox.apple.com",
    help="The sandbox's. In production https only.",
)
APPLE_ROOT_CERTIFICATE = env.text(
    "APPLE_ROOT_CERTIFICATE",
    help="A file in DER that takes the place of Apple Root CA - G3. Refused in production.",
)
GOOGLE_PACKAGE_NAME = env.text(
    "GOOGLE_PACKAGE_NAME", help="The app in Google Play. Empty switches Google Play off."
)
GOOGLE_SERVICE_ACCOUNT = env.secret(
    "GOOGLE_SERVICE_ACCOUNT", help="The key file of a service account, as JSON."
)
GOOGLE_PUSH_AUDIENCE = env.text(
    "GOOGLE_PUSH_AUDIENCE", help="The audience of Pub/Sub's pushes: our address of them."
)
GOOGLE_PUSH_EMAIL = env.text(
    "GOOGLE_PUSH_EMAIL", help="The service account that signs Pub/Sub's pushes."
)
GOOGLE_PUSH_SUBSCRIPTION = env.text(
    "GOOGLE_PUSH_SUBSCRIPTION", help="`projects/…/subscriptions/…`: no other is taken."
)
GOOGLE_API_URL = env.text(
    "GOOGLE_API_URL",
    default="https://androidpublisher.googleapis.com",
    help="The Play Developer API. In production https only.",
)
GOOGLE_TOKEN_URL = env.text(
    "GOOGLE_TOKEN_URL",
    default="https://oauth2.googleapis.com/token",
    help="Where the service account gets its tokens. In production https only.",
)
GOOGLE_KEYS_URL = env.text(
    "GOOGLE_KEYS_URL",
    default="https://www.googleapis.com/oauth2/v3/certs",
    help="The keys that pushes are signed with. In production https only.",
)
STRIPE_SECRET_KEY = env.secret(
    "STRIPE_SECRET_KEY", help="Of the live account. Empty switches it off."
)
STRIPE_WEBHOOK_SECRETS = env.secret(
    "STRIPE_WEBHOOK_SECRETS",
    help="All that may sign its webhooks, comma separated: during a rotation the new one first.",
)
STRIPE_TEST_SECRET_KEY = env.secret(
    "STRIPE_TEST_SECRET_KEY", help="Of the test account. Empty switches it off."
)
STRIPE_TEST_WEBHOOK_SECRETS = env.secret(
    "STRIPE_TEST_WEBHOOK_SECRETS", help="The same as STRIPE_WEBHOOK_SECRETS of the test account."
)
STRIPE_API_URL = env.text(
    "STRIPE_API_URL",
    default="https://api.stripe.com",
    help="In production https only.",
)
STRIPE_GRACE_DAYS = env.integer(
    "STRIPE_GRACE_DAYS",
    default=7,
    help="How long a subscription stays open while Stripe tries to collect.",
)
STRIPE_PORTAL_CONFIGURATION = env.text(
    "STRIPE_PORTAL_CONFIGURATION", help="Of the customer portal; empty is the default one."
)
FAKE_AD_NETWORK = env.flag(
    "FAKE_AD_NETWORK",
    default=not PRODUCTION,
    shown="`off` in production, else `on`",
    help="Believe the fake ad network's callbacks and play its server. Refused in production.",
)
FAKE_AD_NETWORK_KEY = _secret_or_generated(
    "FAKE_AD_NETWORK_KEY",
    env.secret("FAKE_AD_NETWORK_KEY", help="The fake ad network's private key (EC P-256, PEM)."),
)
ADMOB_KEYS_URL = env.text(
    "ADMOB_KEYS_URL",
    default="https://www.gstatic.com/admob/reward/verifier-keys.json",
    help="Where AdMob publishes the keys that its callbacks are signed with. In production https only.",
)
AD_CALLBACK_SECRET = env.secret(
    "AD_CALLBACK_SECRET",
    help="What the addresses end in that are entered at ad networks other than AdMob: "
    "`/v1/ssv/pangle/<secret>`. Letters, digits, `_` and `-`. Needed where the signature covers little: "
    "with PANGLE_SECURITY_KEYS, and with `event_token`.",
)
APPLOVIN_EVENT_KEYS = env.secret(
    "APPLOVIN_EVENT_KEYS",
    help="The event key of the AppLovin account; during a change both, comma separated. Empty switches "
    "AppLovin MAX off.",
)
APPLOVIN_TEMPLATE = env.choice(
    "APPLOVIN_TEMPLATE",
    choices=("event_token_all", "event_token"),
    default="event_token_all",
    help="Which token the callback's URL template has. The second covers the event id alone.",
)
LEVELPLAY_PRIVATE_KEYS = env.secret(
    "LEVELPLAY_PRIVATE_KEYS",
    help="The private keys of the apps' callbacks, comma separated. Empty switches Unity LevelPlay off.",
)
UNITY_ADS_SECRETS = env.secret(
    "UNITY_ADS_SECRETS",
    help="The games' secrets as Unity's support sent them, comma separated. Empty switches Unity Ads off.",
)
PANGLE_SECURITY_KEYS = env.secret(
    "PANGLE_SECURITY_KEYS",
    help="The security key of each ad unit: `ad unit:key`, comma separated. Empty switches Pangle off.",
)
WECHAT_ADS_TOKEN = env.secret(
    "WECHAT_ADS_TOKEN",
    help="The token of rewarded video's callback, as entered at WeChat. Empty switches its ads off.",
)
WECHAT_ADS_AES_KEY = env.secret(
    "WECHAT_ADS_AES_KEY", help="The EncodingAESKey of the same callback, 43 characters."
)
AD_GRACE_SECONDS = env.integer(
    "AD_GRACE_SECONDS",
    default=24 * 3600,
    help="How long after an ad session has expired its network's callback still counts, where the day's cap "
    "leaves room. What comes later waits among the parked callbacks.",
)
PROVISIONAL_AD_NETWORKS = env.words(
    "PROVISIONAL_AD_NETWORKS",
    help="Networks whose ads are believed at the app's word, under narrow caps, since they call nobody: "
    "`douyin`.",
)
AD_IMPRESSION_CAP_MICROS = env.integer(
    "AD_IMPRESSION_CAP_MICROS",
    default=1_000_000,
    minimum=1,
    help="The most that one ad is believed to have earned, in micros of the REPORTING_CURRENCY. What an app "
    "tells beyond it is not kept.",
)
AD_SESSION_ESTIMATES_MAX = env.integer(
    "AD_SESSION_ESTIMATES_MAX",
    default=10,
    minimum=1,
    help="How many times its placement's estimate an app is believed of the ads of one session together. What it "
    "tells beyond it is not kept; where the estimate is 0, what it tells beyond AD_IMPRESSION_CAP_MICROS.",
)
AD_IMPRESSIONS_DAILY = env.integer(
    "AD_IMPRESSIONS_DAILY",
    default=500,
    minimum=1,
    help="How many ads a viewer's apps may tell of in 24 hours.",
)
AD_REPORT_ZONES = env.words(
    "AD_REPORT_ZONES",
    help="The time zones that ad networks' days are of, as their consoles are set: "
    "`admob:America/Los_Angeles`. Of those that are not named it is UTC.",
)
ADMOB_REPORTS_URL = env.text(
    "ADMOB_REPORTS_URL",
    default="https://admob.googleapis.com",
    help="Where AdMob's API is asked for reports.",
)
ADMOB_TOKEN_URL = env.text(
    "ADMOB_TOKEN_URL",
    default="https://oauth2.googleapis.com/token",
    help="Where the refresh token for AdMob's API is exchanged.",
)
ADMOB_PUBLISHER_ID = env.text(
    "ADMOB_PUBLISHER_ID", help="`pub-…`. Empty: AdMob's reports are not fetched."
)
ADMOB_APP_IDS = env.words(
    "ADMOB_APP_IDS", help="The apps whose ads count, `ca-app-pub-…~…`; all of the account if none."
)
ADMOB_OAUTH_CLIENT = env.secret(
    "ADMOB_OAUTH_CLIENT", help="`client id:client secret` of the OAuth client for AdMob's API."
)
ADMOB_REFRESH_TOKEN = env.secret(
    "ADMOB_REFRESH_TOKEN",
    help="The refresh token that an owner of the AdMob account gave that client, to read reports.",
)
APPLOVIN_REPORTS_URL = env.text(
    "APPLOVIN_REPORTS_URL",
    default="https://r.applovin.com",
    help="Where AppLovin is asked for its user-level revenue reports.",
)
APPLOVIN_REPORT_KEY = env.secret(
    "APPLOVIN_REPORT_KEY",
    help="The report key of the AppLovin account. Empty: MAX's reports are not fetched.",
)
APPLOVIN_REPORT_APPS = env.words(
    "APPLOVIN_REPORT_APPS", help="Whose reports are fetched: `android:com.example.app`, `ios:…`."
)
AD_ACCOUNTS_PER_DEVICE = env.integer(
    "AD_ACCOUNTS_PER_DEVICE",
    default=3,
    minimum=1,
    help="How many accounts may open ad sessions on one device in a day of the REPORTING_ZONE.",
)
AD_ACCOUNTS_PER_ADDRESS = env.integer(
    "AD_ACCOUNTS_PER_ADDRESS",
    default=500,
    minimum=1,
    help="The same of one block of addresses: a /24 of IPv4, a /48 of IPv6. Mobile carriers put many behind "
    "one.",
)
ACCESS_TOKEN_SECONDS = env.integer(
    "ACCESS_TOKEN_SECONDS", default=900, minimum=60, help="Life of an access token."
)
REFRESH_TOKEN_DAYS = env.integer(
    "REFRESH_TOKEN_DAYS", default=180, minimum=1, help="Life of a refresh token, renewed by use."
)
REFRESH_GRACE_SECONDS = env.integer(
    "REFRESH_GRACE_SECONDS",
    default=60,
    help="How long after its first use a refresh token may be presented again, in case the reply "
    "was lost. Later than that it counts as stolen.",
)
QUOTE_SECONDS = env.integer(
    "QUOTE_SECONDS", default=900, minimum=60, help="How long a quoted price is honoured."
)
SPEND_CONFIRM_COINS = env.integer(
    "SPEND_CONFIRM_COINS",
    default=3_000,
    help="Who would spend more than this in a day of the REPORTING_ZONE is asked to confirm it first. 0 "
    "never asks.",
)
AUTO_UNLOCK_UNDO_SECONDS = env.integer(
    "AUTO_UNLOCK_UNDO_SECONDS",
    default=600,
    minimum=10,
    help="How long a viewer may take back an episode that was unlocked without a tap, if it was not "
    "played.",
)
EXPIRY_NOTICE_HOURS = env.integer(
    "EXPIRY_NOTICE_HOURS",
    default=72,
    minimum=1,
    help="How long before coins lapse there is a notice of it, for whoever sends messages to viewers.",
)
REFUSED_CLAIMS_DAILY = env.integer(
    "REFUSED_CLAIMS_DAILY",
    default=5,
    minimum=0,
    help="How many purchases of others a viewer may hand in within a day before an alarm names them.",
)
IDEMPOTENCY_DAYS = env.integer(
    "IDEMPOTENCY_DAYS",
    default=30,
    minimum=1,
    help="How long an answer is kept for a client that asks again with the same Idempotency-Key.",
)
PLAYBACK_SECONDS = env.integer(
    "PLAYBACK_SECONDS", default=300, minimum=30, help="Life of a playback URL."
)
REPORTING_ZONE = env.zone(
    "REPORTING_ZONE",
    default="UTC",
    help="The IANA time zone in which a day begins: for reports, cohorts and daily caps.",
)
REPORTING_CURRENCY = env.text(
    "REPORTING_CURRENCY",
    default="USD",
    help="The currency that coin values and revenue are kept in. Fixed once money has moved.",
)
PRICE_SOLO_TITLES = env.integer(
    "PRICE_SOLO_TITLES",
    default=100,
    help="So many titles one person may give other prices alone, within a day.",
)
PRICE_SOLO_RISE_PERCENT = env.integer(
    "PRICE_SOLO_RISE_PERCENT",
    default=50,
    help="How much dearer one person may make a title alone, than now and than a day ago.",
)
PRICE_GUARD_TIMES = env.integer(
    "PRICE_GUARD_TIMES",
    default=10,
    minimum=2,
    help="No price is so many times what an episode usually costs, or so small a part of it.",
)
EXPERIMENT_HOLDOUT_PARTS_PER_MILLION = env.integer(
    "EXPERIMENT_HOLDOUT_PARTS_PER_MILLION",
    default=0,
    help="So many of a million viewers are in no experiment. Another figure counts for experiments that "
    "start after it.",
)
REFUND_SOLO_MICROS = env.integer(
    "REFUND_SOLO_MICROS",
    default=100_000_000,
    help="What a store pays back at once on the word of one operator, for a refund, in micros of the reporting currency; more waits for a second.",
)
REFUND_DAILY_MICROS = env.integer(
    "REFUND_DAILY_MICROS",
    default=500_000_000,
    help="The same of all that one operator has paid back alone in a day of the reporting zone.",
)
GRANT_SOLO_COINS = env.integer(
    "GRANT_SOLO_COINS",
    default=500,
    help="An operator's gift worth more than this is given when a second person has agreed.",
)
GRANT_MAXIMUM_COINS = env.integer(
    "GRANT_MAXIMUM_COINS",
    default=20_000,
    minimum=1,
    help="The most that one gift of an operator may be worth.",
)
GRANT_DAILY_COINS = env.integer(
    "GRANT_DAILY_COINS",
    default=5_000,
    help="What all gifts that an operator gives alone may be worth in a day of the REPORTING_ZONE.",
)
GRANT_PASS_DAY_COINS = env.integer(
    "GRANT_PASS_DAY_COINS",
    default=200,
    minimum=1,
    help="What a day of a pass counts as, in coins, towards these limits.",
)
SMALLEST_PACK_EPISODES = env.integer(
    "SMALLEST_PACK_EPISODES",
    default=10,
    minimum=1,
    help="The compliance page complains of a smallest pack that opens more episodes than this.",
)
SEGMENT_NEW_DAYS = env.integer(
    "SEGMENT_NEW_DAYS",
    default=7,
    minimum=1,
    help="A viewer who has never paid counts as new for so many days after they came.",
)
SEGMENT_LAPSED_DAYS = env.integer(
    "SEGMENT_LAPSED_DAYS",
    default=30,
    minimum=1,
    help="A viewer who has paid counts as lapsed when they have bought and spent nothing for so long.",
)
OFFER_HOLD_SECONDS = env.integer(
    "OFFER_HOLD_SECONDS",
    default=900,
    minimum=60,
    help="How long an offer's place is a viewer's to pay for, from announcing the purchase on.",
)
OFFER_GRACE_SECONDS = env.integer(
    "OFFER_GRACE_SECONDS",
    default=900,
    help="How much longer it is given to nobody else, since a store's word of a payment takes a while.",
)
PROMO_WRONG_PER_VIEWER = env.integer(
    "PROMO_WRONG_PER_VIEWER",
    default=10,
    minimum=1,
    help="How many unknown promo codes one viewer may try in a day of the REPORTING_ZONE.",
)
PROMO_WRONG_PER_ADDRESS = env.integer(
    "PROMO_WRONG_PER_ADDRESS",
    default=50,
    minimum=1,
    help="How many unknown promo codes may be tried from one address in a day of the REPORTING_ZONE.",
)
PROMO_MAXIMUM_COINS = env.integer(
    "PROMO_MAXIMUM_COINS",
    default=1000,
    minimum=1,
    help="The most coins that an operator may let one redemption of a promo code give.",
)
PROMO_SOLO_COINS = env.integer(
    "PROMO_SOLO_COINS",
    default=10_000,
    help="What all promo codes that an operator makes alone in a day of the REPORTING_ZONE may give, all "
    "redemptions together. Codes beyond it redeem nothing until a second person has agreed.",
)
TASK_MAXIMUM_COINS = env.integer(
    "TASK_MAXIMUM_COINS",
    default=1000,
    minimum=1,
    help="The most coins that an operator may let a task, or a day of the check-in calendar, give once.",
)
CHECK_IN_ZONE_DAYS = env.integer(
    "CHECK_IN_ZONE_DAYS",
    default=14,
    minimum=1,
    help="How long a viewer waits before their time zone may be changed again.",
)
CHECK_IN_GAP_HOURS = env.integer(
    "CHECK_IN_GAP_HOURS",
    default=20,
    minimum=1,
    help="How long after the last check-in the next may be, where the time zone was changed in between; 24 "
    "at the most.",
)
SIGN_UP_PER_DEVICE = env.integer(
    "SIGN_UP_PER_DEVICE",
    default=1,
    help="How many sign-up bonuses all accounts of one installation of the app may have.",
)
SIGN_UP_PER_BLOCK_DAILY = env.integer(
    "SIGN_UP_PER_BLOCK_DAILY",
    default=20,
    help="How many sign-up bonuses may be had from one /24, or IPv6 /48, in a day of the REPORTING_ZONE.",
)
SIGN_UP_DAILY = env.integer(
    "SIGN_UP_DAILY",
    default=100_000,
    help="How many sign-up bonuses are given in a day of the REPORTING_ZONE.",
)
REFERRAL_COINS = env.integer(
    "REFERRAL_COINS",
    default=100,
    help="What a viewer earns for one whom they brought. 0 switches invitations off.",
)
REFERRAL_EXPIRY_DAYS = env.integer(
    "REFERRAL_EXPIRY_DAYS", default=30, help="How long these coins last; 0 is for good."
)
REFERRAL_BIND_DAYS = env.integer(
    "REFERRAL_BIND_DAYS",
    default=7,
    minimum=1,
    help="For how long after they came a viewer may say who brought them.",
)
REFERRAL_HOLD_DAYS = env.integer(
    "REFERRAL_HOLD_DAYS",
    default=7,
    help="How long a referral waits before it is paid.",
)
REFERRAL_IDLE_DAYS = env.integer(
    "REFERRAL_IDLE_DAYS",
    default=60,
    minimum=1,
    help="A referral pays nothing if the invited viewer has not proven to be one after so long.",
)
REFERRAL_WATCH_SECONDS = env.integer(
    "REFERRAL_WATCH_SECONDS",
    default=1800,
    minimum=1,
    help="What an invited viewer who did not sign in has to have watched, verified, before it is paid.",
)
REFERRAL_MAXIMUM = env.integer(
    "REFERRAL_MAXIMUM", default=20, help="The most referrals of one viewer that are paid."
)
REFERRAL_DAILY = env.integer(
    "REFERRAL_DAILY",
    default=5,
    help="The most viewers whom one may bring in a day of the REPORTING_ZONE.",
)
REFERRAL_PER_BLOCK_DAILY = env.integer(
    "REFERRAL_PER_BLOCK_DAILY",
    default=5,
    help="How many viewers of one /24, or IPv6 /48, may say who brought them in a day of the REPORTING_ZONE.",
)
REFERRAL_FAMILY_MAXIMUM = env.integer(
    "REFERRAL_FAMILY_MAXIMUM",
    default=40,
    help="The most referrals that are paid in 30 days among viewers who all brought each other.",
)
# Who knows what earned a reward's coins.
REWARD_CAUSES = ["ads.growth.causes.earned"]
# What other apps do for titles that have just become public.
SERIES_PUBLISHED = ["payments.desk.plan_rules.price_published"]
PAYWALL_OPTIONS = [
    "payments.access.paywall.coins_option",
    "payments.unlocking.bundles.bundle_option",
    "payments.unlocking.rentals.rental_option",
    "payments.access.pass_option.subscription_option",
    "ads.paywall.ad_option",
]
# Who knows what opened an episode, by the entitlement's source; payments knows the others itself.
ENTITLEMENT_CAUSES = {"ad": "ads.causes.ad_causes"}
# What apps have against an experiment that is about to start.
EXPERIMENT_CHECKS = ["payments.desk.experiments.check"]
# What `manage.py verify_ledger` holds the rows against, in this order.
LEDGER_CHECKS = [
    BASE_DIR / "payments" / "sql" / "verify_ledger.sql",
    BASE_DIR / "payments" / "sql" / "verify_passes.sql",
    BASE_DIR / "ads" / "sql" / "verify_rewards.sql",
    BASE_DIR / "ads" / "sql" / "verify_revenue.sql",
    BASE_DIR / "ads" / "sql" / "growth" / "verify_growth.sql",
]
# Where the apps keep what they know of the money ladder: ladder.sql, journal.sql and postings.sql.
MONEY_QUERIES = [
    BASE_DIR / "payments" / "sql",
    BASE_DIR / "payments" / "sql" / "passes",
    BASE_DIR / "payments" / "sql" / "fees",
    BASE_DIR / "ads" / "sql",
]

# --- Analytics -------------------------------------------------------------------------------

FLUSH_LEASE_SECONDS = env.integer(
    "FLUSH_LEASE_SECONDS",
    default=60,
    minimum=1,
    help="How long a flush of the event inbox may be in hand before another worker takes it over.",
)
EVENTS_AT_ONCE = env.integer(
    "EVENTS_AT_ONCE",
    default=2,
    minimum=1,
    help="How many batches of events one web process handles at a time; others are asked to come again. Fewer "
    "than its threads, so that some are left for money.",
)
EVENTS_WAITING_BATCHES = env.integer(
    "EVENTS_WAITING_BATCHES",
    default=500_000,
    minimum=1,
    help="No events are taken while so many batches wait to be moved into the lake.",
)
EVENTS_KEPT_DAYS = env.integer(
    "EVENTS_KEPT_DAYS",
    default=0,
    help="How many days single events stay in the lake. 0 keeps them for ever. Who comes back after that counts "
    "as new.",
)
LAKE_MEMORY_MB = env.integer(
    "LAKE_MEMORY_MB",
    default=512,
    minimum=64,
    help="What one query over the lake may hold in memory; the rest spills to DATA_DIR.",
)
LAKE_THREADS = env.integer(
    "LAKE_THREADS", default=2, minimum=1, help="Threads of one query over the lake."
)
SPARK_MASTER = env.text(
    "SPARK_MASTER",
    help="A Spark cluster that counts reports in the place of DuckDB, such as `spark://host:7077`; "
    "`pyspark` and Java have to be installed here.",
)
SPARK_REMOTE = env.text(
    "SPARK_REMOTE",
    help="The same through Spark Connect, such as `sc://host:15002`, for which `pyspark[connect]` is "
    "enough; goes before SPARK_MASTER.",
)
SPARK_LAKE_URL = env.text(
    "SPARK_LAKE_URL",
    help="Where Spark's machines find the lake's files, such as `s3a://bucket/lake`; if empty, in the "
    "folder that the lake has here, which all of them then share.",
)
RANKING_SECONDS = env.integer(
    "RANKING_SECONDS",
    default=60,
    minimum=1,
    help="How old the published ranking becomes before the next one is made.",
)
ROLLUP_REFRESH_SECONDS = env.integer(
    "ROLLUP_REFRESH_SECONDS",
    default=5 if MODE == "demo" else 60,
    shown="60; 5 in a demo",
    minimum=1,
    help="How old an hour of a dashboard's figures becomes before what came since is counted.",
)
ROLLUP_LEASE_SECONDS = env.integer(
    "ROLLUP_LEASE_SECONDS",
    default=120,
    minimum=1,
    help="How long hours of a dashboard's figures may be in hand before another worker fills them.",
)
ROLLUP_CHECK_SECONDS = env.integer(
    "ROLLUP_CHECK_SECONDS",
    default=60 if MODE == "demo" else 3600,
    shown="3600; 60 in a demo",
    minimum=1,
    help="How often the dashboard's figures of money are compared with the ledger, every day of it.",
)
ROLLUP_KEPT_DAYS = env.integer(
    "ROLLUP_KEPT_DAYS",
    default=1100,
    minimum=100,
    help="How many local days the dashboard's figures are kept, the present one not counted.",
)
FEEDBACK_MINIMUM_VIEWERS = env.integer(
    "FEEDBACK_MINIMUM_VIEWERS",
    default=10 if MODE == "demo" else 50,
    shown="50; 10 in a demo, where nobody is real",
    minimum=1,
    help="A row of feedback to the pipeline is of at least so many viewers, or its figures are null.",
)
FEEDBACK_MINIMUM_PAYERS = env.integer(
    "FEEDBACK_MINIMUM_PAYERS",
    default=2 if MODE == "demo" else 10,
    shown="10; 2 in a demo",
    minimum=1,
    help="Revenue told to the pipeline is of at least so many payers, or it is null.",
)

FRAUD_SCAN_SECONDS = env.integer(
    "FRAUD_SCAN_SECONDS",
    default=3600,
    minimum=60,
    help="How often the last days' events are looked through for what nobody can have watched.",
)
FRAUD_ACCOUNTS_PER_INSTALL = env.integer(
    "FRAUD_ACCOUNTS_PER_INSTALL",
    default=4,
    minimum=1,
    help="Where more accounts than this watch on one device within an hour, all of them are flagged.",
)
FRAUD_LEAST_REWARDS = env.integer(
    "FRAUD_LEAST_REWARDS",
    default=20,
    minimum=1,
    help="A day's rewards of ads are compared with the ads shown from so many on.",
)
FRAUD_LEAST_SHOWN_PERCENT = env.integer(
    "FRAUD_LEAST_SHOWN_PERCENT",
    default=50,
    minimum=1,
    help="Where less of the rewarded ads was told of as shown than this, there is an alarm.",
)
EXPORTS_PER_CALLER = env.integer(
    "EXPORTS_PER_CALLER",
    default=10,
    minimum=1,
    help="How many exports one key or operator may have under way; one of them is made at a time.",
)
EXPORTS_AT_ONCE = env.integer(
    "EXPORTS_AT_ONCE",
    default=1,
    minimum=1,
    help="How many exports are made at a time, by all workers: fewer than there are, so that other work "
    "finds one.",
)
EXPORT_SECONDS = env.integer(
    "EXPORT_SECONDS", default=300, minimum=10, help="How long the making of an export may take."
)
EXPORT_LEASE_SECONDS = env.integer(
    "EXPORT_LEASE_SECONDS",
    default=60,
    minimum=1,
    help="How long an export may rest in a worker's hand before another takes it over.",
)
EXPORT_MAXIMUM_ROWS = env.integer(
    "EXPORT_MAXIMUM_ROWS",
    default=5_000_000,
    minimum=1,
    help="An export of more rows is refused.",
)
EXPORT_MAXIMUM_BYTES = env.integer(
    "EXPORT_MAXIMUM_BYTES",
    default=2 * 1024**3,
    minimum=1,
    help="An export whose file grows larger is refused.",
)
EXPORT_KEPT_HOURS = env.integer(
    "EXPORT_KEPT_HOURS",
    default=24,
    minimum=1,
    help="How long an export's file is kept.",
)
EXPORT_LINK_SECONDS = env.integer(
    "EXPORT_LINK_SECONDS",
    default=300,
    minimum=10,
    help="How long a link to an export's file opens it.",
)

# --- Tasks -----------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SOFT_TIME_LIMIT = 50
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 15
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}
#: Where the sweeper's rings wait, apart from rings for what has just happened. Workers hear both in turn.
SWEPT_QUEUE = "swept"
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name)  # type: ignore[no-untyped-call]  # kombu has no types
    for name in ("celery", SWEPT_QUEUE)
]
SWEPT_TASKS = [
    "catalog.tasks.publish_due_series",
    "payments.tasks.notice_expiring_coins",
    "payments.tasks.expire_coins",
    "payments.tasks.release_offers",
    "payments.tasks.prune_idempotency",
    "payments.tasks.prune_promo_attempts",
    "payments.tasks.close_days",
    "payments.tasks.settle_messages",
    "payments.tasks.call_stores",
    "payments.tasks.read_histories",
    "payments.tasks.ask_about_subscriptions",
    "payments.tasks.reconcile_stores",
    "ads.tasks.refresh_verifier_keys",
    "ads.tasks.settle_revenue",
    "ads.tasks.pull_revenue_reports",
    "ads.tasks.give_automatic_tasks",
    "ads.tasks.vest_referrals",
    "ads.tasks.prune_limit_counts",
    "ads.tasks.prune_origins",
    "analytics.tasks.flush_events",
    "analytics.tasks.merge_lake_files",
    "analytics.tasks.tend_lake",
    "analytics.tasks.erase_events",
    "analytics.tasks.export_facts",
    "analytics.tasks.prune_events",
    "analytics.tasks.refresh_rankings",
    "analytics.tasks.look_for_fraud",
    "analytics.tasks.fill_ledger_rollups",
    "analytics.tasks.fill_lake_rollups",
    "analytics.tasks.check_rollups",
    "analytics.tasks.make_exports",
    "analytics.tasks.prune_exports",
]
SWEEP_SECONDS = env.integer(
    "SWEEP_SECONDS", default=5, minimum=1, help="How often the sweeper looks for due work."
)

# --- Admin and logs --------------------------------------------------------------------------

ADMIN_SECOND_FACTOR = env.flag(
    "ADMIN_SECOND_FACTOR",
    default=True,
    help="Staff reach nothing in the admin before a one-time code. Off is refused in production.",
)
LOG_LEVEL = env.choice(
    "LOG_LEVEL",
    choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    default="INFO",
    help="The least severe message that is logged.",
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Refusals are answers, not incidents: only 5xx are worth a line.
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # A line for each request to a store would hold the names of what was bought.
        "httpx": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
    },
}
# Codes are good for half a minute around the present one, by the machine's clock.
OTP_TOTP_ISSUER = "Cliffhanger"
OTP_TOTP_SYNC = False
