"""Read the central directory of a ZIP (PKWARE APPNOTE 6.3) in memory that the limits bound.

The standard library's zipfile builds an object for every record before anything can be counted, takes what lies
before the archive or after it, and lets entries share bytes. Here the records are counted while they are read, and
one reader decides for checking and for unpacking alike: no two parsers can disagree about what a package holds.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from shared.codes import PackageCode
from shared.package.model import Entry, amount, fault, shown

END, END64, LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_COMMENT_MAX = 0xFFFF
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
STORED, DEFLATED, BZIP2 = 0, 8, 12
_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES"}
_OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip file (perhaps a .tar.gz)",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF",
}
MAKE = "make one with `python -m zipfile -c model.zip predict.py requirements.txt …`"


class _Where(msgspec.Struct, frozen=True):
    """Where the central directory lies."""

    offset: int
    size: int
    count: int
    shift: int
    """Bytes before the archive itself, to be added to every offset it names."""


def read_directory(file: BinaryIO, size: int, *, entries_max: int) -> list[Entry]:
    """Return the entries of a ZIP of `size` bytes in the order of the directory.

    Raises PackageError: ARCHIVE_CORRUPT, ARCHIVE_TOO_MANY_ENTRIES, ARCHIVE_UNSUPPORTED, PATH_INVALID (not UTF-8).
    """
    where = _find(file, size)
    if where.count > entries_max:
        raise _too_many(str(where.count), entries_max)
    entries = []
    for entry in _records(file, where):
        entries.append(entry)
        if len(entries) > entries_max:
            raise _too_many(f"more than {entries_max}", entries_max)
    if len(entries) != where.count:
        raise _corrupt(f"its directory holds {len(entries)} entries and says it holds {where.count}")
    return entries


def data_starts(file: BinaryIO, entries: list[Entry], end: int) -> dict[str, int]:
    """Return where the data of each entry begins, once local headers and directory agree.

    `end` is where the central directory begins. Raises PackageError (ARCHIVE_CORRUPT) for entries that overlap, reach
    beyond the data, or are called otherwise in their own header.
    """
    starts: dict[str, int] = {}
    before, reached = "", 0
    for entry in sorted(entries, key=lambda entry: entry.header):
        file.seek(entry.header)
        raw = file.read(_LOCAL.size)
        if len(raw) < _LOCAL.size or raw[:4] != LOCAL:
            raise _corrupt(f"'{shown(entry.name)}' has no header where the directory says")
        fields = _LOCAL.unpack(raw)
        name_length, extra_length = fields[9], fields[10]
        name = entry.name.encode() + (b"/" if entry.folder else b"")
        if file.read(name_length) != name:
            raise _corrupt(f"'{shown(entry.name)}' has another name in its own header")
        if fields[2] & _ENCRYPTED:
            raise encrypted(entry.name)
        start = entry.header + _LOCAL.size + name_length + extra_length
        if entry.header < reached:
            raise _corrupt(f"'{shown(before)}' and '{shown(entry.name)}' share bytes")
        reached = start + entry.compressed
        if reached > end:
            raise _corrupt(f"the data of '{shown(entry.name)}' reaches beyond the end")
        before, starts[entry.name] = entry.name, start
    return starts


def directory_start(file: BinaryIO, size: int) -> int:
    """Return where the central directory begins, which is where data must end."""
    return _find(file, size).offset


def encrypted(name: str) -> Exception:
    """Return the error for an entry that nobody can read."""
    return fault(PackageCode.ARCHIVE_UNSUPPORTED, f"'{shown(name)}' is encrypted; make the ZIP without a password")


def _find(file: BinaryIO, size: int) -> _Where:
    span = min(size, _END.size + _COMMENT_MAX)
    file.seek(size - span)
    tail = file.read(span)
    at = tail.rfind(END)
    while at >= 0:
        if at + _END.size <= len(tail):
            fields = _END.unpack_from(tail, at)
            if at + _END.size + fields[7] == len(tail):
                return _where(file, size - span + at, fields)
        at = tail.rfind(END, 0, at)
    raise _no_end(file, size, END in tail)


def _where(file: BinaryIO, end: int, fields: tuple[int, ...]) -> _Where:
    _, disk, first_disk, here, count, size, offset, _ = fields
    before = end
    if _MAX16 in (disk, count) or _MAX32 in (size, offset):
        file.seek(max(0, end - _LOCATOR.size))
        raw = file.read(_LOCATOR.size)
        if end >= _LOCATOR.size and raw[:4] == LOCATOR:
            before, (disk, first_disk, here, count, size, offset) = _end64(file, end, _LOCATOR.unpack(raw))
    if disk or first_disk or here != count:
        raise fault(PackageCode.ARCHIVE_UNSUPPORTED, "this ZIP is one part of a split archive; make a single ZIP file")
    shift = before - size - offset
    if shift < 0:
        raise _corrupt("its directory does not lie where its end record says")
    return _Where(offset + shift, size, count, shift)


def _end64(file: BinaryIO, end: int, locator: tuple[int, ...]) -> tuple[int, tuple[int, int, int, int, int, int]]:
    """Read the ZIP64 end record; it lies right before its locator, whatever came before the archive."""
    at = end - _LOCATOR.size - _END64.size
    for place in (at, locator[2]):
        if place < 0:
            continue
        file.seek(place)
        raw = file.read(_END64.size)
        if len(raw) == _END64.size and raw[:4] == END64:
            _, _, _, _, disk, first_disk, here, count, size, offset = _END64.unpack(raw)
            return place, (disk, first_disk, here, count, size, offset)
    raise _corrupt("its ZIP64 end record is missing")


def _records(file: BinaryIO, where: _Where) -> Iterator[Entry]:
    file.seek(where.offset)
    left = where.size
    while left > 0:
        raw = file.read(_CENTRAL.size)
        if len(raw) < _CENTRAL.size or raw[:4] != CENTRAL:
            raise _corrupt("its directory is damaged")
        fields = _CENTRAL.unpack(raw)
        name_length, extra_length, comment_length = fields[10:13]
        name, extra = file.read(name_length), file.read(extra_length)
        file.seek(comment_length, 1)
        left -= _CENTRAL.size + name_length + extra_length + comment_length
        if left < 0:
            raise _corrupt("its directory is damaged")
        yield _entry(fields, name, extra, where.shift)


def _entry(fields: tuple[int, ...], raw: bytes, extra: bytes, shift: int) -> Entry:
    flags, method, crc, compressed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
    disk, attributes, header = fields[13], fields[15], fields[16]
    try:
        # Archive tools of macOS write UTF-8 without saying so; everything else that is legal here is ASCII.
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise fault(
            PackageCode.PATH_INVALID,
            f"the file name '{shown(raw.decode('cp437'))}' is not UTF-8; rename it with plain letters, or make the ZIP "
            "with a tool that writes UTF-8 names (python -m zipfile -c)",
        ) from None
    size, compressed, header = _zip64(extra, size, compressed, header)
    if flags & _ENCRYPTED:
        raise encrypted(name)
    folder = name.endswith("/")
    if not folder and method not in (STORED, DEFLATED, BZIP2):
        raise fault(
            PackageCode.ARCHIVE_UNSUPPORTED,
            f"'{shown(name)}' is compressed with {_METHODS.get(method, f'method {method}')}; "
            "choose Deflate, the usual method of ZIP files",
        )
    if folder and (size or compressed > 2):
        raise _corrupt(f"the folder '{shown(name)}' has contents of its own")
    if disk not in (0, _MAX16):
        raise fault(PackageCode.ARCHIVE_UNSUPPORTED, "this ZIP is one part of a split archive; make a single ZIP file")
    if method == STORED and size != compressed:
        raise _corrupt(f"'{shown(name)}' is stored as it is, but its two sizes differ")
    return Entry(
        name=name[:-1] if folder else name,
        folder=folder,
        size=size,
        compressed=compressed,
        method=method,
        crc=crc,
        mode=attributes >> 16,
        header=header + shift,
    )


def _zip64(extra: bytes, size: int, compressed: int, header: int) -> tuple[int, int, int]:
    """Take the 64-bit values (APPNOTE 4.5.3) for those that do not fit into 32 bits."""
    values, at = b"", 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            values = extra[at + 4 : at + 4 + length]
            break
        at += 4 + length
    result = []
    for value in (size, compressed, header):
        if value == _MAX32 and len(values) >= 8:
            value, values = struct.unpack_from("<Q", values)[0], values[8:]
        result.append(value)
    return result[0], result[1], result[2]


def _no_end(file: BinaryIO, size: int, has_end: bool) -> Exception:
    file.seek(0)
    head = file.read(512)
    if not size:
        return fault(PackageCode.ARCHIVE_CORRUPT, f"the upload is empty; {MAKE}")
    if has_end:
        return _corrupt("its last bytes are missing, or something follows it")
    if head[:4] in (LOCAL, END, b"PK\x07\x08"):
        return _corrupt(f"its end is missing after {amount(size)}, as when an upload or a copy was cut short")
    kind = next((what for magic, what in _OTHER_FORMATS.items() if head.startswith(magic)), None)
    if kind is None and head[257:262] == b"ustar":
        kind = "a tar archive"
    return fault(PackageCode.ARCHIVE_CORRUPT, f"this is {kind or 'no ZIP file'}, and ClinAI takes a ZIP; {MAKE}")


def _corrupt(why: str) -> Exception:
    return fault(PackageCode.ARCHIVE_CORRUPT, f"the ZIP is damaged: {why}; make it anew and upload it again")


def _too_many(count: str, limit: int) -> Exception:
    return fault(
        PackageCode.ARCHIVE_TOO_MANY_ENTRIES,
        f"the ZIP has {count} entries and the limit is {limit}; leave out data sets, virtual environments and caches, "
        "or keep many small files in one archive of your own",
    )
