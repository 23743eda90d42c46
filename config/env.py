"""Typed readers of the environment. Each call declares a variable: its name, type and help.

What is declared is what `docs/configuration.md` lists (written by `manage.py describe_settings`),
so a variable cannot exist without documentation. A secret may also be given as a file:
`KEYRING_FILE=/run/secrets/keyring` stands for `KEYRING`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class BadEnvironment(Exception):
    """A variable holds something its type does not allow; the message names it."""


@dataclass(frozen=True)
class Variable:
    """One declared variable, as the configuration page prints it."""

    name: str
    kind: str
    default: str
    help: str


@dataclass
class Environment:
    """Reads variables from `source` and remembers what was declared, in order."""

    source: Mapping[str, str]
    declared: dict[str, Variable] = field(default_factory=dict)

    def text(self, name: str, *, default: str = "", help: str) -> str:  # noqa: A002
        """The variable as it stands, or `default`."""
        self._declare(name, "text", default, help)
        return self.source.get(name, default)

    def choice(self, name: str, *, choices: tuple[str, ...], default: str, help: str) -> str:  # noqa: A002
        """One of `choices`. Raises BadEnvironment for any other value."""
        self._declare(name, " or ".join(f"`{choice}`" for choice in choices), default, help)
        value = self.source.get(name, default)
        if value not in choices:
            raise BadEnvironment(f"{name} is {value!r}; it must be one of {', '.join(choices)}.")
        return value

    def flag(self, name: str, *, default: bool = False, shown: str = "", help: str) -> bool:  # noqa: A002
        """True for 1/true/yes/on, False for 0/false/no/off. Raises BadEnvironment otherwise.

        `shown` is how a default that depends on the mode appears in the documentation.
        """
        self._declare(name, "flag", shown or ("on" if default else "off"), help)
        value = self.source.get(name, "").strip().lower()
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        if value == "":
            return default
        raise BadEnvironment(f"{name} is {value!r}; write on or off.")

    def integer(
        self,
        name: str,
        *,
        default: int,
        minimum: int = 0,
        shown: str = "",
        help: str,  # noqa: A002
    ) -> int:
        """A whole number of at least `minimum`; `shown` as for `flag`.

        Raises BadEnvironment otherwise.
        """
        self._declare(name, "integer", shown or str(default), help)
        value = self.source.get(name, "").strip()
        if value == "":
            return default
        if not value.isascii() or not value.isdigit() or int(value) < minimum:
            raise BadEnvironment(
                f"{name} is {value!r}; it must be an integer of {minimum} or more."
            )
        return int(value)

    def words(
        self,
        name: str,
        *,
        default: str = "",
        shown: str = "",
        help: str,  # noqa: A002
    ) -> list[str]:
        """A comma-separated list, blanks dropped; `shown` as for `flag`."""
        self._declare(name, "comma-separated list", shown or default, help)
        return [word.strip() for word in self.source.get(name, default).split(",") if word.strip()]

    def path(self, name: str, *, default: Path, shown: str, help: str) -> Path:  # noqa: A002
        """A file-system path; `shown` is how the default appears in the documentation."""
        self._declare(name, "path", shown, help)
        return Path(self.source.get(name) or default)

    def zone(self, name: str, *, default: str, help: str) -> ZoneInfo:  # noqa: A002
        """A time zone by its IANA name. Raises BadEnvironment for one that is not known."""
        self._declare(name, "IANA time zone", default, help)
        value = self.source.get(name) or default
        try:
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise BadEnvironment(f"{name} is {value!r}; it must be an IANA time zone.") from error

    def secret(self, name: str, *, help: str) -> str:  # noqa: A002
        """The variable, else the content of the file that NAME_FILE names, else "".

        Raises BadEnvironment when both are set or the file cannot be read.
        """
        self._declare(name, f"secret (or a file named by `{name}_FILE`)", "", help)
        file = self.source.get(f"{name}_FILE", "")
        if not file:
            return self.source.get(name, "")
        if self.source.get(name):
            raise BadEnvironment(f"{name} and {name}_FILE are both set; keep one.")
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadEnvironment(f"{name}_FILE names {file!r}: {error}") from error

    def _declare(self, name: str, kind: str, default: str, help: str) -> None:  # noqa: A002
        self.declared[name] = Variable(name, kind, default, help)
