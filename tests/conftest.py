"""What every test may ask for."""

import gc
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, TransactionTestCase
from psycopg import sql

from tests.proof import Proof, write_evidence

#: Folders of which the suite draws one test in so many, as of a matrix: pages of the admin and adapters, each asked in
#: very many ways, reports, and what waits for processes (docs/decisions/0022).
DRAWN = {
    "tests/payments/admin": 3,
    "tests/payments/desk/price_changes": 3,
    "tests/payments/desk": 2,
    "tests/payments/messages": 2,
    "tests/payments/providers": 3,
    "tests/payments/reconciliation": 2,
    "tests/payments/support": 2,
    "tests/ads/networks": 3,
    "tests/analytics": 2,
    "tests/demo": 2,
    "tests/config": 2,
    "tests/stores": 2,
    "tests/crash": 2,
    "tests/browser": 2,
}
EVIDENCE = "evidence"
STARTING_INSTANCES = {"crash", "demo", "journeys", "stores"}
WRITTEN_BY_MIGRATE = {"auth_permission", "django_content_type"}
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
# Workers share the cache, and what one knows of stores is nothing to another.
_shared: dict[str, Any] = settings.CACHES["default"]
_shared["KEY_PREFIX"] = os.environ.get("PYTEST_XDIST_WORKER", "")
PROOF_SEED = pytest.StashKey[int]()


def _empty_used_tables(_: TransactionTestCase) -> None:
    """Instead of `flush`, which makes a hundred tables and all permissions anew to leave the same behind.

    As the owner, for whom rows are only rows: the application may delete none of most.
    """
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = sorted(set(names) - WRITTEN_BY_MIGRATE)
    has_rows = sql.SQL("SELECT {name} WHERE EXISTS (SELECT FROM {table})")
    each = [has_rows.format(name=sql.Literal(one), table=sql.Identifier(one)) for one in tables]
    delete = sql.SQL("DELETE FROM {}")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE; SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql.SQL(" UNION ALL ").join(each))
        for (table,) in cursor.fetchall():
            cursor.execute(delete.format(sql.Identifier(table)))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The test database is created by the owner of the schema, one for each parallel worker.

    A test is a transaction, and idle for as long as its first request imports what it needs.
    """
    options = connection.settings_dict["OPTIONS"]
    options["assume_role"] = None
    options["options"] += " -c idle_in_transaction_session_timeout=120s"


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Iterator[None]:
    """From here on every test runs as the application role, as production does."""
    with django_db_blocker.unblock():
        _reconnect_as(settings.DATABASE_ROLE)
    yield
    # The owner made the database, and only the owner may drop it.
    with django_db_blocker.unblock():
        _reconnect_as(None)


def _reconnect_as(role: str | None) -> None:
    connection.close()
    connection.close_pool()
    connection.settings_dict["OPTIONS"]["assume_role"] = role


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--prove", action="store_true", help="Run the proofs at their full counts.")
    parser.addoption(
        "--evidence", choices=["new", "more"], help="Write what proofs found anew, or add it."
    )
    parser.addoption(
        "--sampled", action="store_true", help="Run a share of each matrix, drawn by the seed."
    )


def pytest_collection_finish() -> None:
    """What was imported stays: it need not be looked through for garbage during every test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.hookimpl(trylast=True)  # pytest-randomly draws the seed in this hook, too
def pytest_configure(config: pytest.Config) -> None:
    TransactionTestCase._fixture_teardown = _empty_used_tables
    config.stash[PROOF_SEED] = config.getoption("randomly_seed", None) or secrets.randbelow(2**31)
    if config.getoption("--evidence") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Evidence(is_added=config.getoption("--evidence") == "more"))
    # Each test's client loads the middleware anew: it need not list every asset each time.
    settings.WHITENOISE_AUTOREFRESH = True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that takes the `proof` fixture is a proof: `-m prove` selects it, and whole matrices.

    Tests that start an instance of their own come first: at the end, one of them would be waited
    for alone. Those of a folder come together, and what they share ends with the last of them.
    pytest-randomly has shuffled before, and `-m` selects after this.
    """
    for item in items:
        if "proof" in getattr(item, "fixturenames", ()) or _share(item) > 1:
            item.add_marker(pytest.mark.prove)
    if config.getoption("--sampled"):
        seed = config.stash[PROOF_SEED]
        drawn = [item for item in items if _is_drawn(item, seed=seed)]
        config.hook.pytest_deselected(
            items=[item for item in items if not _is_drawn(item, seed=seed)]
        )
        items[:] = drawn
    items.sort(key=_place)


def _is_drawn(item: pytest.Item, *, seed: int) -> bool:
    """Of `matrix(n)` every n-th case or so. Another seed draws others; a full run takes all."""
    drawn = int.from_bytes(blake2b(f"{seed} {item.nodeid}".encode()).digest())
    return drawn % _share(item) == 0


def _share(item: pytest.Item) -> int:
    """Of how many such tests the suite runs one: by the test's own mark, else by its folder."""
    matrix = item.get_closest_marker("matrix")
    if matrix is not None:
        share: int = matrix.args[0]
        return share
    folder = item.path.parent.relative_to(item.config.rootpath).as_posix()
    return next((n for name, n in DRAWN.items() if f"{folder}/".startswith(f"{name}/")), 1)


def _place(item: pytest.Item) -> tuple[bool, str]:
    is_alone = _runs_an_instance_alone(item)
    return not is_alone, str(item.path.parent) if is_alone else ""


def _runs_an_instance_alone(item: pytest.Item) -> bool:
    """Beside the suite's database: pytest-django has put tests that empty it behind those that need
    what migrations wrote, and there they stay."""
    touches_database = DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
    return (
        item.path.parent.name in STARTING_INSTANCES
        and not touches_database
        and item.get_closest_marker("django_db") is None
    )


class Evidence:
    """Rows of evidence come with a test's report, from whichever worker ran it."""

    def __init__(self, *, is_added: bool) -> None:
        self._rows: list[dict[str, object]] = []
        self._is_added = is_added

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._rows += [row for name, row in report.user_properties if name == EVIDENCE]

    def pytest_sessionfinish(self) -> None:
        write_evidence(self._rows, is_added=self._is_added)


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Iterator[Proof]:
    """How often to run, and where to write what was found."""
    config = request.config
    made = Proof(is_full=config.getoption("--prove"), seed=config.stash[PROOF_SEED])
    yield made
    request.node.user_properties += [(EVIDENCE, row) for row in made.rows]


@pytest.fixture(scope="session")
def now() -> datetime:
    """A moment that tests count from."""
    return datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def api(db: None) -> Client:
    """An HTTP client that raises nothing: a failure inside the server is a 500 it can see."""
    return Client(raise_request_exception=False)
