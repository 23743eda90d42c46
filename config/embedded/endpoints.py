"""Where the running services answer."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.embedded import sockets, wire
from config.embedded.state import Phase, State

DATABASE = OWNER = "cliffhanger"
POSTGRES_SOCKET = ".s.PGSQL.5432"
BROKER_SOCKET = "broker.sock"
CACHE_SOCKET = "cache.sock"


@dataclass(frozen=True)
class Endpoints:
    """Addresses of the services, each as the library that uses it wants it."""

    database_url: str
    """For libpq and psycopg."""
    socket_dir: Path
    """The private folder in which all three listen."""
    broker_url: str
    """For Celery and kombu."""
    cache_url: str
    """For redis-py and Django's cache."""

    @classmethod
    def in_folder(cls, socket_dir: Path) -> "Endpoints":
        """The addresses of services that listen in this folder."""
        folder = quote(str(socket_dir), safe="")
        path = quote(str(socket_dir))
        return cls(
            database_url=f"postgresql://{OWNER}@/{DATABASE}?host={folder}",
            socket_dir=socket_dir,
            broker_url=f"redis+socket://{path}/{BROKER_SOCKET}",
            cache_url=f"unix://{path}/{CACHE_SOCKET}",
        )

    def answer(self) -> bool:
        """Whether all three services answer now; a recovering PostgreSQL does not."""
        try:
            wire.postgres_answers(self.socket_dir / POSTGRES_SOCKET, user=OWNER, database=DATABASE)
            return wire.redis_answers(self.socket_dir / BROKER_SOCKET) and wire.redis_answers(
                self.socket_dir / CACHE_SOCKET
            )
        except (OSError, wire.PostgresRefused):
            return False


def announced(state: State | None) -> Endpoints | None:
    """The addresses a supervisor announced, once it saw all three answer in a folder to trust."""
    if state is None or state.socket_dir is None or state.service_uid is None:
        return None
    folder = Path(state.socket_dir)
    if state.phase is not Phase.READY or not sockets.is_trusted(folder, state.service_uid):
        return None
    return Endpoints.in_folder(folder)
