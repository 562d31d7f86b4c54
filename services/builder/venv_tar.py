"""Make the tar of a built environment fit for an image: root's, without setuid bits or devices.

The archive comes from the engine, header by header, and passes through without being unpacked here: file contents
are what the build made, so nothing of them may decide anything on this host.
"""

from collections.abc import AsyncIterator

from shared.codes import BuildCode
from shared.errors import BuildError

BLOCK = 512
META = frozenset(b"xgLK")
"""Header types whose data belongs to the next entry (pax and GNU long names)."""
DEVICES = frozenset(b"346")
MODE, UID, GID, SIZE, SUM, TYPE = (
    slice(100, 108),
    slice(108, 116),
    slice(116, 124),
    slice(124, 136),
    slice(148, 156),
    156,
)
UNAME, GNAME = slice(265, 297), slice(297, 329)


class VenvTar:
    """Iterate over `clean(stream)`; `size_bytes` then says how much the files hold."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.size_bytes = 0
        self.refused: BuildError | None = None
        """Why the archive was not taken; the connection it was sent over hides it."""

    async def clean(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the archive with every entry given to root.

        Raises BuildError (BUILD_TOO_LARGE, or INSTALL_FAILED for a device file).
        """
        buffer, skip = bytearray(), 0
        async for chunk in stream:
            buffer += chunk
            out = bytearray()
            position = 0
            while True:
                if skip:
                    taken = min(skip, len(buffer) - position)
                    out += buffer[position : position + taken]
                    position += taken
                    skip -= taken
                    if skip:
                        break
                if len(buffer) - position < BLOCK:
                    break
                header = buffer[position : position + BLOCK]
                position += BLOCK
                if any(header):
                    try:
                        skip = self._patch(header)
                    except BuildError as error:
                        self.refused = error
                        raise
                out += header
            del buffer[:position]
            if out:
                yield bytes(out)
        if skip or buffer:
            raise ConnectionError("the engine cut the archive of the environment short")

    def _patch(self, header: bytearray) -> int:
        """Change one header in place; return the bytes of data, padded, that follow it."""
        kind, size = header[TYPE], _number(header[SIZE])
        if kind in DEVICES:
            raise BuildError(BuildCode.INSTALL_FAILED, "an installed package left a device or pipe in the environment")
        if kind not in META:
            self.size_bytes += size
            if self.size_bytes > self._limit:
                raise BuildError(
                    BuildCode.BUILD_TOO_LARGE,
                    f"the installed requirements hold more than {self._limit} bytes; use fewer or smaller packages",
                )
            header[MODE] = b"%07o\0" % (_number(header[MODE]) & 0o0777)
            header[UID] = header[GID] = b"0000000\0"
            header[UNAME] = header[GNAME] = bytes(32)
            header[SUM] = b" " * 8
            header[SUM] = b"%06o\0 " % sum(header)
        return (size + BLOCK - 1) // BLOCK * BLOCK


def _number(field: bytearray) -> int:
    """Octal, or base 256 for sizes past 8 GiB (GNU)."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    return int(bytes(field).strip(b" \0") or b"0", 8)
