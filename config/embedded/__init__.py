"""PostgreSQL 18 and two Redis processes for a project that was given none.

    from config import embedded

    services = embedded.acquire(data_dir)

Settings call this when DATABASE_URL and REDIS_URL are unset; otherwise nothing here is imported.

**Lifetime.** Whoever called `acquire` is a user until the process and its forked children end. The
first user starts one supervisor, detached, which runs the three servers as its children and starts
each again when it dies. Some seconds after the last user is gone it stops them and ends. If the
supervisor itself is killed, the kernel ends the servers, and the users that live start another.
Everything is decided by two file locks that the kernel releases (`locks`), never by process ids.

**Places.** Everything lies in `<data dir>/embedded`:

    users.lock supervisor.lock    held by users (shared) and by the supervisor (alone)
    state.json services.log       what runs; what it said
    identity.json                 which instance this is: see `clusters`
    postgres/ broker/ access/     the data, owned by the account the servers run as
    cache/

Sockets are in `cliffhanger-<id>-<uid>` among the temporary files (`sockets`), closed to others.

**As root.** PostgreSQL refuses root, so the servers run as the data folder's owner, else as
`postgres` or `nobody`. If that account cannot reach the installed programs or the data folder, as
under /root, programs and data are kept in `/var/lib/cliffhanger` (`binaries`, `clusters`). No
permission outside the data folder is ever changed and no user is created.

**Limits.** Linux and macOS; a file system with working flock; one machine, one set of temporary
files: containers that share only the data folder should set DATABASE_URL and REDIS_URL instead.
"""

from config.embedded.control import InUse, Status, status, stop
from config.embedded.endpoints import Endpoints
from config.embedded.errors import EmbeddedServicesError
from config.embedded.users import acquire

__all__ = [
    "EmbeddedServicesError",
    "Endpoints",
    "InUse",
    "Status",
    "acquire",
    "status",
    "stop",
]
