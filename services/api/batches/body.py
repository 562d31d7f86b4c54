"""The body of a batch on its way to storage: a ZIP as it is, or the files of a form put into one."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import closing
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import multipart
from litestar import Request

from services.api.predict.body import FORM_BYTES, ClientGone
from services.api.problems import InvalidField
from shared.batches.inputs import called_twice, too_many
from shared.errors import Invalid, TooLarge
from shared.settings import KIB, Limits

FIELDS_BESIDE = 8
FILE_FIELDS = ("file", "files")
SEND_BYTES = 256 * KIB


class Body:
    """Reads the body of one request. Iterate over `pieces()` once; the rest is known afterwards."""

    def __init__(self, request: Request[Any, Any, Any], limits: Limits, *, hashing: bool) -> None:
        self._request = request
        self._limits = limits
        self._hashing = hashing
        self._kind, self._options = request.content_type
        self._digest = hashlib.sha256()
        self._size = 0
        self.fields: dict[str, str] = {}
        """Fields of a form beside its files."""

    @property
    def is_form(self) -> bool:
        """Whether the inputs are the files of a form."""
        return self._kind.lower() == "multipart/form-data"

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was stored, if it was to be taken: the same inputs in the same order give the same."""
        return self._digest.digest()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the ZIP; raises TooLarge, Invalid, ClientGone."""
        announced = self._request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._limits.batch_bytes + (FORM_BYTES if self.is_form else 0):
            raise self._too_large()
        async for piece in self._form() if self.is_form else self._chunks():
            if self._hashing:
                self._digest.update(piece)
            yield piece
        if not self._size:
            raise Invalid("There is nothing in the body; send a ZIP of images, or a form with files.")

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._request.receive()
            if message["type"] != "http.request":
                raise ClientGone()
            if piece := message["body"]:
                self._size += len(piece)
                if self._size > self._limits.batch_bytes:
                    raise self._too_large()
                yield piece
            if not message.get("more_body"):
                return

    async def _form(self) -> AsyncIterator[bytes]:
        """Put the files into a ZIP as they come."""
        small: dict[str, bytearray] = {}
        field = ""
        segments = self._limits.batch_inputs + FIELDS_BESIDE
        try:
            with (
                multipart.PushMultipartParser(self._options.get("boundary", ""), max_segment_count=segments) as parser,
                closing(_Growing(self._limits)) as archive,
            ):
                async for chunk in self._chunks():
                    for event in parser.parse(chunk):
                        if isinstance(event, multipart.MultipartSegment):
                            field = event.name or ""
                            if field in FILE_FIELDS:
                                archive.begin(event.filename)
                            else:
                                small[field] = bytearray()
                        elif event and field in FILE_FIELDS:
                            archive.write(event)
                        elif event:
                            small[field] += event
                            _check_small(small, field)
                    if archive.waiting >= SEND_BYTES:
                        yield archive.take()
        except multipart.MultipartError as error:
            raise Invalid(f"The form cannot be read: {error}") from None
        if not archive.files:
            raise InvalidField("files", "is missing; put each image into a field of this name")
        try:
            self.fields = {name: value.decode() for name, value in small.items()}
        except UnicodeDecodeError:
            raise Invalid("A field of the form beside its files is not UTF-8.") from None
        yield archive.take()

    def _too_large(self) -> TooLarge:
        limit = self._limits.batch_bytes
        return TooLarge(f"The inputs have more than {limit} bytes together; send several batches.")


def _check_small(small: dict[str, bytearray], name: str) -> None:
    if sum(map(len, small.values())) > FORM_BYTES:
        raise TooLarge(
            f"The form's fields beside its files have more than {FORM_BYTES} bytes, with what is in {name!r}; "
            "images go into fields called `files`."
        )


class _Growing:
    """A ZIP that grows file by file; what has been written can be taken away."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sink = _Sink()
        self._archive = ZipFile(self._sink, "w", ZIP_STORED)  # type: ignore[call-overload]
        self._file: IO[bytes] | None = None
        self.files = 0

    def begin(self, filename: str | None) -> None:
        """The next file; raises TooLarge and PackageError (NAME_COLLISION)."""
        self._end_file()
        self.files += 1
        if self.files > self._limits.batch_inputs:
            raise too_many(f"more than {self._limits.batch_inputs}", self._limits)
        name = filename or f"input-{self.files:04d}"
        if name in self._archive.NameToInfo:
            raise called_twice(name)
        self._file = self._archive.open(ZipInfo(name), "w", force_zip64=True)

    def write(self, data: bytes | bytearray) -> None:
        """More of the file."""
        assert self._file is not None
        self._file.write(data)

    @property
    def waiting(self) -> int:
        """Bytes that can be taken."""
        return len(self._sink.data)

    def take(self) -> bytes:
        """Take what has been written."""
        return self._sink.take()

    def close(self) -> None:
        """Write the directory."""
        self._end_file()
        self._archive.close()

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _Sink:
    """What zipfile writes to: it cannot be sought in, so that sizes follow the data."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data, self.data = bytes(self.data), bytearray()
        return data
