"""PostgreSQL 18: creating the cluster and running it.

It listens on a socket in a private folder only, and asks the kernel who is there (`peer`): the
service account, root and the data folder's owner may log in, nobody else.
"""

import locale
import logging
import os
import secrets
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

from config.embedded import accounts, processes, wire
from config.embedded.binaries import Binaries
from config.embedded.clusters import Cluster
from config.embedded.endpoints import DATABASE, OWNER, POSTGRES_SOCKET
from config.embedded.errors import EmbeddedServicesError
from config.embedded.programs import Program, environment

MAJOR = "18"
_UNDEFINED_DATABASE = "3D000"
# It exists, is being created, its template is in use, or the server is going down or coming up.
_TRY_AGAIN = frozenset({"42P04", "23505", "55006", "57P01", "57P03"})
_CREATION_SECONDS = 60.0

log = logging.getLogger(__name__)


def prepare(cluster: Cluster, binaries: Binaries, *, data_owner_uid: int, durable: bool) -> None:
    """Create the cluster if there is none, and say who may log in.

    Raises EmbeddedServicesError when the data are of another major version or cannot be created.
    """
    for draft in cluster.folder.glob("postgres.new-*"):
        shutil.rmtree(draft)
    if not any((cluster.postgres / name).exists() for name in ("PG_VERSION", "global/pg_control")):
        # What a deletion interrupted by running services may have left is no cluster.
        shutil.rmtree(cluster.postgres, ignore_errors=True)
        _create(cluster, binaries, durable=durable)
    _refuse_other_version(cluster.own_folder("postgres"))
    names = {accounts.name_of(uid) for uid in (cluster.account.uid, data_owner_uid, 0)}
    _write_access_files(cluster, sorted(name for name in names if name is not None))


def program(cluster: Cluster, binaries: Binaries, sockets: Path, *, durable: bool) -> Program:
    """The server of this cluster. Without `durable` it never waits for the disk."""
    settings = _settings(cluster, sockets, durable=durable)
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    socket_file = sockets / POSTGRES_SOCKET
    return Program(
        name="postgres",
        command=[str(binaries.postgres_bin / "postgres"), "-D", str(cluster.postgres), *arguments],
        folder=cluster.postgres,
        socket_file=socket_file,
        account=cluster.account,
        polite_stop=signal.SIGINT,
        quick_stop=signal.SIGQUIT,
        answers=partial(_answers, socket_file),
        clear_the_way=partial(_clear_the_way, cluster, socket_file),
    )


def _create(cluster: Cluster, binaries: Binaries, *, durable: bool) -> None:
    draft = cluster.own_folder(f"postgres.new-{secrets.token_hex(4)}")
    log.info("creating a PostgreSQL cluster in %s", cluster.postgres)
    ended = subprocess.run(  # noqa: S603  a fixed program of an installed package
        [
            str(binaries.postgres_bin / "initdb"),
            f"--pgdata={draft}",
            f"--username={OWNER}",
            "--encoding=UTF8",
            # PostgreSQL's own C.UTF-8 sorts and compares alike on every machine, with no library
            # of locales; the text search parser alone asks the C library what a letter is.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            f"--lc-ctype={_character_types()}",
            "--auth=peer",
            "--no-instructions",
            *([] if durable else ["--no-sync"]),
        ],
        cwd=draft,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        umask=0o077,
        preexec_fn=processes.dying_with_parent(signal.SIGKILL),
        check=False,
        **cluster.account.popen_arguments(),
    )
    if ended.returncode != 0:
        output = (ended.stdout + ended.stderr).decode(errors="replace")
        raise EmbeddedServicesError(f"PostgreSQL could not create its cluster:\n{output}")
    draft.rename(cluster.postgres)


def _character_types() -> str:
    """C.UTF-8 where the C library has it, else C."""
    former = locale.setlocale(locale.LC_CTYPE)
    try:
        return locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, former)


def _refuse_other_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise EmbeddedServicesError(f"{data} is not a PostgreSQL cluster.") from None
    if version != MAJOR:
        raise EmbeddedServicesError(
            f"{data} was made by PostgreSQL {version}; this program brings PostgreSQL {MAJOR}. Dump"
            f" it with version {version} and restore the dump into a new data folder."
        )


def _write_access_files(cluster: Cluster, names: list[str]) -> None:
    mapped = "".join(f'services "{name}" all\n' for name in names)
    files = {
        "hba.conf": "local all all peer map=services\nlocal replication all peer map=services\n",
        "ident.conf": mapped,
    }
    for name, text in files.items():
        file = cluster.own_folder("access") / name
        draft = file.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        os.chown(draft, cluster.account.uid, cluster.account.gid)
        draft.replace(file)


# What lives for minutes need not be tidied up, nor be copied elsewhere.
_THROWAWAY = {"autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0"}


def _settings(cluster: Cluster, sockets: Path, *, durable: bool) -> dict[str, str]:
    quoted_sockets = str(sockets).replace('"', '""')
    on = "on" if durable else "off"
    return {
        "listen_addresses": "",
        "unix_socket_directories": f'"{quoted_sockets}"',
        "unix_socket_permissions": "0700",
        "port": "5432",
        "hba_file": str(cluster.folder / "access" / "hba.conf"),
        "ident_file": str(cluster.folder / "access" / "ident.conf"),
        "cluster_name": cluster.mark,
        "max_connections": "200",
        "shared_buffers": "128MB",
        "max_wal_size": "512MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "log_line_prefix": "%m postgres[%p] ",
        "fsync": on,
        "synchronous_commit": on,
        "full_page_writes": on,
        **({} if durable else _THROWAWAY),
        # Its statements are short: helpers and a compiler would take longer to start than to be done.
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
    }


def _answers(socket_file: Path) -> bool:
    try:
        wire.postgres_answers(socket_file, user=OWNER, database=DATABASE)
    except wire.PostgresRefused as refusal:
        if refusal.sqlstate == _UNDEFINED_DATABASE:
            _create_database(socket_file)
        return False
    return True


def _create_database(socket_file: Path) -> None:
    try:
        wire.postgres_answers(
            socket_file,
            user=OWNER,
            database="postgres",
            sql=f"CREATE DATABASE {DATABASE}",
            timeout_seconds=_CREATION_SECONDS,
        )
    except wire.PostgresRefused as refusal:
        if refusal.sqlstate not in _TRY_AGAIN:
            raise EmbeddedServicesError(f"The database cannot be created: {refusal}") from refusal


def _clear_the_way(cluster: Cluster, socket_file: Path) -> None:
    """End the backends of a killed server and remove its lock files.

    PostgreSQL would refuse to start if the process id in a lock file now belonged to another
    process, which is common after a container restarts. Only a live PostgreSQL is left to judge.
    """
    processes.end_backends(cluster.mark, cluster.account)
    for file in (cluster.postgres / "postmaster.pid", Path(f"{socket_file}.lock")):
        try:
            pid = int(file.read_text(encoding="utf-8").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            continue
        if processes.program_of(pid) != "postgres":
            file.unlink()
