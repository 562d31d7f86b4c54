"""From entries to a tree of files: what belongs to no model is left out, what cannot lie side by side is refused."""

import stat
from collections import Counter

import msgspec

from shared.codes import PackageCode
from shared.package.model import Entry, fault, shown
from shared.package.names import collision_key, name_fault

_JUNK_FOLDERS = frozenset(
    {
        "__MACOSX",
        "__pycache__",
        ".git",
        ".hg",
        ".svn",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    }
)
_JUNK_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".git"})
_RECIPES = frozenset({"dockerfile", "containerfile", "docker-compose.yml", "docker-compose.yaml", "compose.yaml"})
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """Files and folders of a package."""

    files: dict[str, Entry]
    folders: tuple[str, ...]
    """Every folder, also those that no entry names; parents first."""
    warnings: tuple[str, ...]


def plant(entries: list[Entry], *, entries_max: int) -> Tree:
    """Check names, kinds and collisions.

    Raises PackageError: PATH_INVALID, ENTRY_TYPE_FORBIDDEN, NAME_COLLISION, ARCHIVE_TOO_MANY_ENTRIES (folders that no
    entry names count, too).
    """
    for entry in entries:
        if why := name_fault(entry.name):
            raise fault(PackageCode.PATH_INVALID, f"the entry '{shown(entry.name)}' {why}")
    environments = {entry.name[: -len("/pyvenv.cfg")] for entry in entries if entry.name.endswith("/pyvenv.cfg")}
    left_out: Counter[str] = Counter()
    warnings: list[str] = []
    files: dict[str, Entry] = {}
    folders: dict[str, None] = {}
    seen: dict[str, tuple[str, bool]] = {}
    for entry in entries:
        if not entry.folder and entry.name.lower() in _RECIPES:
            warnings.append(f"{entry.name} is ignored: ClinAI makes the image itself, from requirements.txt")
            continue
        if (junk := _junk(entry, environments)) is not None:
            left_out[junk] += not entry.folder
            continue
        _check_kind(entry)
        parts = entry.name.split("/")
        for depth in range(1, len(parts) + entry.folder):
            folder = "/".join(parts[:depth])
            _claim(seen, folder, is_folder=True)
            folders.setdefault(folder)
        if not entry.folder:
            _claim(seen, entry.name, is_folder=False)
            files[entry.name] = entry
        if len(files) + len(folders) > entries_max:
            raise fault(
                PackageCode.ARCHIVE_TOO_MANY_ENTRIES,
                f"the ZIP has more than {entries_max} files and folders, which is the limit; use fewer",
            )
    if left_out:
        what = ", ".join(f"{shown(name)} ({count})" for name, count in left_out.most_common(5))
        warnings.append(f"left out of the package, since no model needs it (files): {what}")
    return Tree(files=files, folders=tuple(sorted(folders)), warnings=tuple(warnings))


def _junk(entry: Entry, environments: set[str]) -> str | None:
    """Return under which name this entry is left out, or None."""
    parts = entry.name.split("/")
    for depth, part in enumerate(parts[:-1] if not entry.folder else parts, 1):
        if part in _JUNK_FOLDERS:
            return f"{part}/"
        if (path := "/".join(parts[:depth])) in environments:
            return f"the virtual environment {path}/"
    if not entry.folder and (parts[-1] in _JUNK_FILES or parts[-1].startswith("._")):
        return parts[-1] if parts[-1] in _JUNK_FILES else "._*"
    return None


def _check_kind(entry: Entry) -> None:
    kind = stat.S_IFMT(entry.mode)
    if kind in _KINDS:
        raise fault(
            PackageCode.ENTRY_TYPE_FORBIDDEN,
            f"'{shown(entry.name)}' is {_KINDS[kind]}; put the file itself into the ZIP "
            "(zip without --symlinks, or copy it)",
        )
    if kind not in (0, stat.S_IFDIR if entry.folder else stat.S_IFREG):
        said = "a folder" if kind == stat.S_IFDIR else "a file" if kind == stat.S_IFREG else "of an unknown kind"
        raise fault(
            PackageCode.ENTRY_TYPE_FORBIDDEN,
            f"'{shown(entry.name)}' is called a {'folder' if entry.folder else 'file'} and marked as {said}; "
            "make the ZIP anew",
        )


def _claim(seen: dict[str, tuple[str, bool]], name: str, *, is_folder: bool) -> None:
    """Note a path; refuse one that another system could not tell from an earlier one. A folder may come again."""
    key = collision_key(name)
    before, was_folder = seen.get(key, ("", is_folder))
    if was_folder != is_folder:
        spelt = f" (as '{shown(name)}')" if name != before else ""
        raise fault(
            PackageCode.NAME_COLLISION, f"'{shown(before)}' is both a file and a folder{spelt}; rename one of them"
        )
    if before and before != name:
        raise fault(
            PackageCode.NAME_COLLISION,
            f"'{shown(before)}' and '{shown(name)}' differ only in case or in how an accent is written; "
            "rename one of them",
        )
    if before and not is_folder:
        raise fault(PackageCode.NAME_COLLISION, f"'{shown(name)}' is in the ZIP twice; make it anew")
    seen[key] = (name, is_folder)
