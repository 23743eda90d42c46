"""The few words of each protocol that it takes to see whether a service answers."""

import socket
import struct
from pathlib import Path
from typing import BinaryIO

_PROTOCOL_3_0 = 196608
_TIMEOUT_SECONDS = 2.0


class PostgresRefused(Exception):
    """PostgreSQL answered with an error; `sqlstate` tells which."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate = sqlstate


def postgres_answers(
    socket_file: Path,
    *,
    user: str,
    database: str,
    sql: str = "",
    timeout_seconds: float = _TIMEOUT_SECONDS,
) -> None:
    """Log in and, if given, run one statement, both without a password.

    `timeout_seconds` is for each answer. Raises PostgresRefused when the server says no, for
    instance because it is still recovering, and OSError when nobody answers in time.
    """
    with (
        _connected(socket_file, timeout_seconds) as connection,
        connection.makefile("rb") as answers,
    ):
        names = f"user\0{user}\0database\0{database}\0\0".encode()
        connection.sendall(struct.pack("!II", len(names) + 8, _PROTOCOL_3_0) + names)
        _wait_until_ready(answers)
        if sql:
            text = sql.encode() + b"\0"
            connection.sendall(b"Q" + struct.pack("!I", len(text) + 4) + text)
            _wait_until_ready(answers)
        connection.sendall(b"X" + struct.pack("!I", 4))


def redis_answers(socket_file: Path) -> bool:
    """Whether Redis says PONG; it does not while it still loads its data.

    Raises OSError when nobody answers.
    """
    with _connected(socket_file, _TIMEOUT_SECONDS) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")


def _connected(socket_file: Path, timeout_seconds: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        connection.connect(str(socket_file))
    except OSError:
        connection.close()
        raise
    return connection


def _wait_until_ready(answers: BinaryIO) -> None:
    while True:
        kind, size = _header(answers)
        body = answers.read(size)
        if kind == b"E":
            fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0")}
            raise PostgresRefused(fields.get(b"C", ""), fields.get(b"M", ""))
        if kind == b"R" and body[:4] != b"\0\0\0\0":
            raise PostgresRefused("28000", "the server wants a password")
        if kind == b"Z":
            return


def _header(answers: BinaryIO) -> tuple[bytes, int]:
    header = answers.read(5)
    if len(header) < 5:
        raise ConnectionResetError("PostgreSQL closed the connection")
    kind, size = struct.unpack("!cI", header)
    return kind, size - 4
