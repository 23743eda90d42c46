"""The two Redis processes: one that keeps everything, one that forgets.

The eviction policy belongs to a process, not to a database in it, so there are two.
"""

import signal
from functools import partial
from pathlib import Path

from config.embedded import wire
from config.embedded.binaries import Binaries
from config.embedded.clusters import Cluster
from config.embedded.endpoints import BROKER_SOCKET, CACHE_SOCKET
from config.embedded.programs import Program


def broker(cluster: Cluster, binaries: Binaries, sockets: Path) -> Program:
    """The task queue: refuses rather than evicts, and appends every write to a file."""
    options = {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
    }
    return _program("broker", cluster, binaries, sockets / BROKER_SOCKET, options)


def cache(cluster: Cluster, binaries: Binaries, sockets: Path) -> Program:
    """The cache: at most 128 MB, the least recently used go first, nothing on disk."""
    options = {
        "maxmemory": "128mb",
        "maxmemory-policy": "allkeys-lru",
        "appendonly": "no",
        "save": "",
    }
    return _program("cache", cluster, binaries, sockets / CACHE_SOCKET, options)


def _program(
    name: str, cluster: Cluster, binaries: Binaries, socket_file: Path, options: dict[str, str]
) -> Program:
    folder = cluster.own_folder(name)
    every = {
        "port": "0",
        "unixsocket": str(socket_file),
        "unixsocketperm": "700",
        "dir": str(folder),
        "daemonize": "no",
        **options,
    }
    arguments = [part for key, value in every.items() for part in (f"--{key}", value)]
    return Program(
        name=name,
        command=[str(binaries.redis_server), *arguments],
        folder=folder,
        socket_file=socket_file,
        account=cluster.account,
        polite_stop=signal.SIGTERM,
        quick_stop=signal.SIGKILL,
        answers=partial(wire.redis_answers, socket_file),
        clear_the_way=partial(socket_file.unlink, missing_ok=True),
    )
