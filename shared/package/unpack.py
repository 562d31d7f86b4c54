"""Unpack a package: as a tar for a container, or into a folder of this host; each file is proven while it is read.

Modes, owners and times of the ZIP are not taken over: folders are 0755, files 0644, and two ZIPs with the same files
give the same tar.
"""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.codes import PackageCode
from shared.package.contents import unpacked
from shared.package.directory import data_starts, directory_start
from shared.package.model import Entry, KeepOn, Package, fault, shown
from shared.package.model import keep_on as never_stop

MTIME = 315532800
"""1980-01-01, the earliest a ZIP can say: some tools refuse files that are older."""


class Reader:
    """An open package."""

    def __init__(self, file: BinaryIO, entries: list[Entry], end: int) -> None:
        self._file = file
        self._starts = data_starts(file, entries, end)

    def chunks(self, entry: Entry, keep_on: KeepOn = never_stop) -> Iterator[bytes]:
        """Yield the contents of an entry; raises PackageError (ARCHIVE_CORRUPT)."""
        return unpacked(self._file, entry, self._starts[entry.name], keep_on)

    def small(self, entry: Entry, *, limit: int, code: PackageCode, cure: str) -> bytes:
        """Return the contents of a file that must be small; raises PackageError with `code` when it is not."""
        if entry.size > limit:
            raise fault(code, f"{shown(entry.name)}: {entry.size} bytes, and the limit is {limit}; {cure}")
        return b"".join(self.chunks(entry))


@contextmanager
def opened(package: Package) -> Iterator[Reader]:
    """Open a package for reading."""
    with package.path.open("rb") as file:
        end = directory_start(file, package.path.stat().st_size)
        yield Reader(file, list(package.files.values()), end)


def verify(package: Package, keep_on: KeepOn = never_stop) -> None:
    """Read every file once. Raises PackageError (ARCHIVE_CORRUPT)."""
    with opened(package) as reader:
        for entry in _in_order(package.files.values()):
            for _ in reader.chunks(entry, keep_on):
                pass


def tar_pieces(package: Package, keep_on: KeepOn = never_stop) -> Iterator[bytes]:
    """Yield all files and folders as a tar with paths relative to the package, 256 KiB of it in memory.

    May be called again. Raises PackageError (ARCHIVE_CORRUPT); what was yielded before that must be thrown away.
    """
    with opened(package) as reader:
        for name in package.folders:
            yield _header(name, None)
        for entry in _in_order(package.files.values()):
            yield _header(entry.name, entry.size)
            yield from reader.chunks(entry, keep_on)
            yield bytes(-entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def write_tar(package: Package, target: Path, keep_on: KeepOn = never_stop) -> None:
    """Write `tar_pieces` to a file; the target is written anew. Raises PackageError (ARCHIVE_CORRUPT)."""
    with target.open("wb") as out:
        out.writelines(tar_pieces(package, keep_on))


def extract(package: Package, names: Iterable[str], folder: Path, keep_on: KeepOn = never_stop) -> dict[str, str]:
    """Unpack some files into a folder of ours; return their SHA-256 by name.

    `folder` must be ours alone: names have been judged to stay within it, and nothing there may be a link. Raises
    PackageError (ARCHIVE_CORRUPT), FileExistsError when a file is there already.
    """
    digests: dict[str, str] = {}
    with opened(package) as reader:
        for entry in _in_order(package.files[name] for name in names):
            target = folder / entry.name
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with target.open("xb") as out:
                for piece in reader.chunks(entry, keep_on):
                    digest.update(piece)
                    out.write(piece)
            target.chmod(0o644)
            digests[entry.name] = digest.hexdigest()
    return digests


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Sort by place in the file, so that the disk is read from front to back."""
    return sorted(entries, key=lambda entry: entry.header)


def _header(name: str, size: int | None) -> bytes:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if size is None else tarfile.REGTYPE
    info.mode = 0o755 if size is None else 0o644
    info.size = size or 0
    info.mtime = MTIME
    return info.tobuf(tarfile.PAX_FORMAT)
