"""What a name, an address and a password may be; the same rules as the columns of `users`."""

import re

from services.api.problems import InvalidField
from services.api.users.passwords import MAX_CHARACTERS, MIN_CHARACTERS

USERNAME = re.compile(r"[A-Za-z0-9._-]{3,64}")
EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")


def check_username(username: str) -> str:
    """Return the name; raises InvalidField (400)."""
    if not USERNAME.fullmatch(username):
        raise InvalidField("username", "must be 3 to 64 of the characters A-Z a-z 0-9 . _ -")
    return username


def check_email(email: str) -> str:
    """Return the address; raises InvalidField (400). Whether mail arrives there is not asked."""
    if len(email) > 254 or not EMAIL.fullmatch(email):
        raise InvalidField("email", "must be an address like name@example.com of at most 254 characters")
    return email


def check_password(password: str, field: str = "password") -> str:
    """Return the password; raises InvalidField (400)."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise InvalidField(field, f"must have {MIN_CHARACTERS} to {MAX_CHARACTERS} characters, and has {len(password)}")
    return password
