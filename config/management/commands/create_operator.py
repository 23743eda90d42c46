"""`manage.py create_operator USERNAME`: somebody who can sign in to the admin at once."""

from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import operators, roles
from config.second_factor import devices


class Command(BaseCommand):
    help = (
        "Make an operator of the admin. Prints the password and the authenticator's otpauth URL "
        "where no file gave them; they are not shown again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--superuser", action="store_true", help="may do everything")
        parser.add_argument(
            "--role",
            action="append",
            default=[],
            dest="roles",
            help=f"a group to join: {', '.join(roles.ROLES)}, or one of your own; repeatable",
        )
        parser.add_argument("--password-file", type=Path, help="the password, in a file")
        parser.add_argument(
            "--totp-secret-file", type=Path, help="the authenticator's secret in base32, in a file"
        )
        parser.add_argument(
            "--if-missing", action="store_true", help="do nothing if the operator exists"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["if_missing"] and User.objects.filter(username=options["username"]).exists():
            return
        password, secret = _read(options["password_file"]), _read(options["totp_secret_file"])
        try:
            made = operators.create(
                username=options["username"],
                password=password,
                secret=None if secret is None else devices.read_secret(secret),
                roles=options["roles"],
                is_superuser=options["superuser"],
            )
        except (operators.OperatorRefused, devices.SecretInvalid) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"operator  {made.user.username}")
        if password is None:
            self.stdout.write(f"password  {made.password}")
        if secret is None:
            self.stdout.write(f"otpauth   {made.otpauth_url}")


def _read(file: Path | None) -> str | None:
    """The text in `file`, None without one. Raises CommandError if there is none to read."""
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    if not text:
        raise CommandError(f"{file} is empty.")
    return text
