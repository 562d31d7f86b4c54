"""Which names an entry may have: plain relative paths that mean the same file on every system."""

import unicodedata

PART_BYTES_MAX = 255
"""A file name on Linux."""
NAME_BYTES_MAX = 1000
DEPTH_MAX = 32

# Characters that reorder or hide text in a log or a list of files.
_DISGUISE = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def name_fault(name: str) -> str | None:
    """Say what is wrong with a path in the package and what to do, or None. `name` has no slash at its end."""
    if not name:
        return "is empty; make the ZIP anew"
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") or char in _DISGUISE for char in name):
        return "contains a control character; rename it"
    if "\\" in name:
        return "contains a backslash; make the ZIP with a tool that writes '/' between folders (python -m zipfile -c)"
    if name.startswith("/"):
        return "is an absolute path; zip from inside the model's folder, so that names are relative"
    if len(name) > 1 and name[1] == ":" and name[0].isascii() and name[0].isalpha():
        return "begins with a drive letter; zip from inside the model's folder, so that names are relative"
    parts = name.split("/")
    if ".." in parts:
        return "leads out of the package with '..'; zip from inside the model's folder"
    if "" in parts or "." in parts:
        return "has an empty part or a '.' between slashes; make the ZIP anew"
    if len(name.encode()) > NAME_BYTES_MAX or any(len(part.encode()) > PART_BYTES_MAX for part in parts):
        return f"is too long (a part may have {PART_BYTES_MAX} bytes, a path {NAME_BYTES_MAX}); use shorter names"
    if len(parts) > DEPTH_MAX:
        return f"lies deeper than {DEPTH_MAX} folders; use fewer"
    return None


def collision_key(name: str) -> str:
    """Two names with the same key are one file on systems that fold case or normalise Unicode (UAX #15, NFC)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
