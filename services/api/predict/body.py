"""The body of a prediction while it arrives: hashed on the way, in memory while it is small, on disk else."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import multipart
from litestar import Request

from services.api.problems import InvalidField
from shared.errors import Invalid, RequestError, TooLarge
from shared.settings import KIB, MIB

MEMORY_BYTES = 4 * MIB
"""A larger body goes to a file."""
BATCH_BYTES = MIB
HASH_HERE_BYTES = 256 * KIB
"""What is hashed at once without a thread: less than a thread's own cost."""
HEAD_BYTES = 64
FORM_BYTES = 64 * KIB
"""Room for headers and small fields of a form beside its file."""
SEGMENTS_MAX = 16


class ClientGone(RequestError):
    """The client hung up before its body was here."""

    code = "CLIENT_GONE"


class Input:
    """What a client sends as the input of a job. Use as `with Input(…) as body:`; nothing stays on disk.

    The file has no name: it is gone with its descriptor, however this process ends.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._digest = hashlib.sha256()
        self._batch = bytearray()
        self.file: BinaryIO | None = None
        self.size = 0
        self.head = b""
        """The first 64 bytes."""

    def __enter__(self) -> "Input":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.file is not None:
            self.file.close()

    async def write(self, data: bytes) -> None:
        """Take the next bytes; raises TooLarge past the limit."""
        self.size += len(data)
        if self.size > self._limit_bytes:
            raise too_large(self._limit_bytes)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + data)[:HEAD_BYTES]
        self._batch += data
        if len(self._batch) > (MEMORY_BYTES if self.file is None else BATCH_BYTES):
            await asyncio.to_thread(self._spill)

    async def finish(self) -> str:
        """Return the hex SHA-256 of what has arrived; no byte may follow."""
        if self.file is not None:
            await asyncio.to_thread(self._spill)
        elif len(self._batch) > HASH_HERE_BYTES:
            await asyncio.to_thread(self._digest.update, self._batch)
        else:
            self._digest.update(self._batch)
        return self._digest.hexdigest()

    @property
    def small(self) -> bytes:
        """The whole body, when there is no file."""
        return bytes(self._batch)

    def _spill(self) -> None:
        if self.file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by __exit__
        batch, self._batch = self._batch, bytearray()
        self._digest.update(batch)
        self.file.write(batch)


def too_large(limit_bytes: int) -> TooLarge:
    """The error for a body past the limit."""
    return TooLarge(f"The input has more than {limit_bytes} bytes; send a smaller image.")


async def read_input(request: Request[Any, Any, Any], into: Input, *, limit_bytes: int) -> str | None:
    """Read the body: an image as it is, or a form with the field `file`; return its field `params` if it has one.

    Raises TooLarge before anything is read when the length says so, Invalid for what is no such body.
    """
    kind, options = request.content_type
    is_form = kind.lower() == "multipart/form-data"
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes + (FORM_BYTES + KIB if is_form else 0):
        raise too_large(limit_bytes)
    if is_form:
        params = await _read_form(request, options.get("boundary", ""), into)
    else:
        params = None
        async for chunk in _chunks(request):
            await into.write(chunk)
    if not into.size:
        raise Invalid("There is no image in the body; send its bytes, or a form with the field `file`.")
    return params


async def _read_form(request: Request[Any, Any, Any], boundary: str, into: Input) -> str | None:
    fields: dict[str, bytearray] = {}
    small = 0
    name: str | None = None
    try:
        with multipart.PushMultipartParser(boundary, max_segment_count=SEGMENTS_MAX) as parser:
            async for chunk in _chunks(request):
                for event in parser.parse(chunk):
                    if isinstance(event, multipart.MultipartSegment):
                        name = event.name or ""
                        if name in fields:
                            raise InvalidField(name, "is in the form twice")
                        fields[name] = bytearray()
                    elif event and name == "file":
                        await into.write(bytes(event))
                    elif event and name is not None:
                        small += len(event)
                        if small > FORM_BYTES:
                            raise TooLarge(
                                f"The form's fields beside `file` have more than {FORM_BYTES} bytes, with what is in "
                                f"{name!r}; the image goes into the field `file`."
                            )
                        fields[name] += event
    except multipart.MultipartError as error:
        raise Invalid(f"The form cannot be read: {error}") from None
    if "file" not in fields:
        raise InvalidField("file", "is missing; put the image into this field of the form")
    try:
        return fields["params"].decode() if "params" in fields else None
    except UnicodeDecodeError:
        raise InvalidField("params", "is not UTF-8") from None


async def _chunks(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientGone()
        if message["body"]:
            yield message["body"]
        if not message.get("more_body"):
            return
