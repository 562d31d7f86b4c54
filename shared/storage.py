"""Object storage over S3: streaming transfers, presigned URLs, multipart uploads (design, section 6).

URLs are signed here, without network, for whatever origin the client sees storage at; the services themselves talk
to the internal endpoint.

Two clients of one bucket (ADR 17): obstore for what every job does with single objects, a fifth of the CPU; aioboto3
for what obstore has not: buckets, conditional copies, multipart uploads of others, listings with pages.
"""

import asyncio
import hashlib
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

import aioboto3
import msgspec
import obstore
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError, NotFoundError, PreconditionError
from obstore.store import S3Store

from shared import settings
from shared.presign import Signer
from shared.settings import MIB

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CHUNK_BYTES = MIB
PART_BYTES = 8 * MIB
ONE_PUT_BYTES = MIB
"""An object up to this size is read whole and travels at once."""
STORAGE_ERRORS = (BotoCoreError, ClientError, BaseError, OSError)
"""What storage raises that is away, or that refuses for a reason of its own."""
_GONE = (FileNotFoundError, NotFoundError)
MULTIPART_DAYS = 1
CONNECT_S, READ_S = 5, 60
"""How long storage is waited for: to connect, and between two reads."""
TRANSFER_LIMIT = timedelta(hours=1)
"""Of one object, whatever its size."""
TRIES = 3
SAFE_TYPES = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
        "image/bmp",
        "image/tiff",
        "application/json",
        "text/plain",
        "text/csv",
        "application/zip",
        "application/octet-stream",
    }
)
"""Content types a download may carry; everything else goes out as octet-stream."""


class ObjectInfo(msgspec.Struct, frozen=True):
    """What HEAD says of an object."""

    size: int
    etag: str


class Listed(msgspec.Struct, frozen=True):
    """An object as a listing shows it; `size` in bytes."""

    key: str
    size: int
    modified_at: datetime


class Fetched(msgspec.Struct, frozen=True):
    """A downloaded object: size in bytes, hex SHA-256, ETag."""

    size: int
    sha256: str
    etag: str


class ObjectChanged(Exception):
    """The object is not (any more) the one expected: other ETag, hash or size, or gone."""


class ObjectTooLarge(Exception):
    """The object is larger than the limit given."""


def _whole(path: Path) -> bytes | None:
    """The bytes of a small file, just written and so in memory anyway; None for a larger one."""
    return path.read_bytes() if path.stat().st_size <= ONE_PUT_BYTES else None


def _missing(error: ClientError) -> bool:
    return error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 412)


class ObjectStore:
    """One bucket. Keys are ours; clients see them only inside presigned URLs."""

    def __init__(self, client: "S3Client", objects: S3Store, config: settings.Storage) -> None:
        self._s3 = client
        self._objects = objects
        self._config = config
        self._bucket = config.bucket
        self._signer = Signer(config.access_key, config.secret_key, config.region)

    async def prepare_bucket(self, allowed_origins: list[str] | None = None) -> None:
        """Create the bucket with CORS for browsers and the rule that ends unfinished uploads. May be called twice."""
        try:
            await self._s3.create_bucket(Bucket=self._bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
                raise
        await self._s3.put_bucket_cors(
            Bucket=self._bucket,
            CORSConfiguration={
                "CORSRules": [
                    {
                        "AllowedOrigins": allowed_origins or ["*"],
                        "AllowedMethods": ["GET", "PUT", "HEAD"],
                        "AllowedHeaders": ["*"],
                        "ExposeHeaders": ["ETag"],
                        "MaxAgeSeconds": 3600,
                    }
                ]
            },
        )
        await self._s3.put_bucket_lifecycle_configuration(
            Bucket=self._bucket,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "unfinished-uploads",
                        "Status": "Enabled",
                        "Filter": {"Prefix": "quarantine/"},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": MULTIPART_DAYS},
                        "Expiration": {"Days": MULTIPART_DAYS + 1},
                    },
                    {
                        "ID": "unfinished-batches",
                        "Status": "Enabled",
                        "Filter": {"Prefix": "batches/"},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": MULTIPART_DAYS},
                    },
                    {
                        "ID": "unfinished-inputs",
                        "Status": "Enabled",
                        "Filter": {"Prefix": "inputs/"},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": MULTIPART_DAYS},
                    },
                ]
            },
        )

    # -- presigned URLs -------------------------------------------------------------------------------------------

    def presign_put(self, key: str, *, origin: str) -> str:
        """URL for a plain PUT without further headers; valid for 15 minutes by default."""
        return self._presign("PUT", key, origin=origin, expires_s=self._config.upload_expires_s)

    def presign_part(self, key: str, upload_id: str, number: int, *, origin: str) -> str:
        """URL for the PUT of one part (1 to 10,000) of a multipart upload."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        return self._presign("PUT", key, origin=origin, expires_s=self._config.upload_expires_s, query=query)

    def presign_get(self, key: str, *, origin: str, filename: str, content_type: str) -> str:
        """URL for a download as attachment; a type that is not on the list becomes octet-stream."""
        safe = content_type if content_type in SAFE_TYPES else "application/octet-stream"
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename) or "file"
        query = {
            "response-content-disposition": (
                f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
            ),
            "response-content-type": safe,
        }
        return self._presign("GET", key, origin=origin, expires_s=self._config.download_expires_s, query=query)

    def _presign(
        self, method: str, key: str, *, origin: str, expires_s: int, query: dict[str, str] | None = None
    ) -> str:
        path = f"/{self._bucket}/{quote(key, safe='/~')}"
        return self._signer.sign(method, origin.rstrip("/"), path, expires_s=expires_s, query=query)

    # -- objects --------------------------------------------------------------------------------------------------

    async def head(self, key: str) -> ObjectInfo | None:
        """Size and ETag, or None when there is no such object."""
        try:
            found = await obstore.head_async(self._objects, key)
        except _GONE:
            return None
        return ObjectInfo(found["size"], found["e_tag"] or "")

    async def fetch(self, key: str, target: Path, *, limit_bytes: int, etag: str | None = None) -> Fetched:
        """Stream an object to a file, hashing on the way.

        Raises ObjectChanged when it is gone or its ETag is not `etag`, ObjectTooLarge past `limit_bytes`.
        """
        try:
            answer = await obstore.get_async(self._objects, key, options={"if_match": etag} if etag else None)
        except (*_GONE, PreconditionError):
            await self._require_bucket()
            raise ObjectChanged(key) from None
        size = answer.meta["size"]
        if size > limit_bytes:
            raise ObjectTooLarge(key)
        digest, got = hashlib.sha256(), 0

        def take(out: BinaryIO, chunk: bytes | obstore.Bytes) -> None:
            digest.update(chunk)
            out.write(chunk)

        with target.open("wb") as out:
            if size <= ONE_PUT_BYTES:
                whole = await answer.bytes_async()
                got = len(whole)
                take(out, whole)
            else:
                async for chunk in answer.stream(min_chunk_size=CHUNK_BYTES):
                    got += len(chunk)
                    await asyncio.to_thread(take, out, chunk)
        if got != size:
            raise ConnectionError(f"{key}: got {got} of {size} bytes")
        return Fetched(size, digest.hexdigest(), answer.meta["e_tag"] or "")

    async def _require_bucket(self) -> None:
        """Raise ClientError when the bucket itself is gone: SeaweedFS then says of an object that it is not there.

        Storage that lost its disk, or has not read it yet, is no fault of who uploaded.
        """
        await self._s3.head_bucket(Bucket=self._bucket)

    async def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        """Read a small object whole; None when there is none. At most `limit_bytes` are read."""
        try:
            answer = await obstore.get_async(self._objects, key)
            if answer.meta["size"] <= limit_bytes:
                return bytes(await answer.bytes_async())
            return bytes(await obstore.get_range_async(self._objects, key, start=0, end=limit_bytes))
        except _GONE:
            return None

    async def copy(self, source: str, target: str, *, etag: str) -> None:
        """Copy on the server if the source still has `etag`; raises ObjectChanged when it has not."""
        try:
            await self._s3.copy_object(
                Bucket=self._bucket,
                Key=target,
                CopySource={"Bucket": self._bucket, "Key": source},
                CopySourceIfMatch=etag,
            )
        except ClientError as error:
            if _missing(error):
                await self._require_bucket()
                raise ObjectChanged(source) from None
            raise

    async def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store bytes under a key."""
        await obstore.put_async(
            self._objects, key, data, attributes={"Content-Type": content_type}, use_multipart=False
        )

    async def put_file(self, key: str, path: Path, *, content_type: str = "application/octet-stream") -> None:
        """Store a file under a key; large ones go in parts."""
        if (data := _whole(path)) is not None:
            await self.put(key, data, content_type=content_type)
        else:
            await self._s3.upload_file(str(path), self._bucket, key, ExtraArgs={"ContentType": content_type})

    async def put_open(self, key: str, file: BinaryIO) -> None:
        """Store an open file, from its start, under a key, as `put_stream` does."""

        async def pieces() -> AsyncIterator[bytes]:
            file.seek(0)
            while data := await asyncio.to_thread(file.read, PART_BYTES):
                yield data

        await self.put_stream(key, pieces())

    async def stream(self, key: str, *, start: int, size: int) -> AsyncIterator[bytes]:
        """Yield `size` bytes of an object from `start` on; raises ObjectChanged when it is gone or shorter."""
        if not size:
            return
        try:
            answer = await self._s3.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-{start + size - 1}")
        except ClientError as error:
            if _missing(error):
                await self._require_bucket()
            if _missing(error) or error.response["ResponseMetadata"]["HTTPStatusCode"] == 416:
                raise ObjectChanged(key) from None
            raise
        left = size
        async with answer["Body"] as body:
            async for chunk in body.content.iter_chunked(CHUNK_BYTES):
                left -= len(chunk)
                yield chunk
        if left and answer["ContentLength"] < size:
            raise ObjectChanged(key)
        if left:
            raise ConnectionError(f"{key}: {left} of {size} bytes did not come")

    async def put_stream(self, key: str, pieces: AsyncIterator[bytes]) -> int:
        """Store what comes under a key, one part in memory at a time; return how many bytes it was.

        Nothing is stored when `pieces` raises.
        """
        batch, size, upload_id = bytearray(), 0, ""
        parts: list[dict[str, Any]] = []

        async def send() -> None:
            nonlocal batch
            data, batch = batch, bytearray()
            answer = await self._s3.upload_part(
                Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=len(parts) + 1, Body=io.BytesIO(data)
            )
            parts.append({"number": len(parts) + 1, "etag": answer["ETag"]})

        try:
            async for piece in pieces:
                size += len(piece)
                batch += piece
                if len(batch) >= PART_BYTES:
                    upload_id = upload_id or await self.start_multipart(key)
                    await send()
            if not upload_id:
                await self.put(key, bytes(batch))
                return size
            if batch:
                await send()
            await self.complete_multipart(key, upload_id, parts)
        except BaseException:
            if upload_id:
                await self.abort_multipart(key, upload_id)
            raise
        return size

    async def delete(self, *keys: str) -> None:
        """Delete objects; those that are not there do not matter."""
        with suppress(*_GONE):
            await obstore.delete_async(self._objects, keys)

    async def list_keys(self, prefix: str) -> AsyncIterator[tuple[str, int]]:
        """Yield (key, size in bytes) of every object below a prefix."""
        async for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield entry["Key"], entry["Size"]

    async def list_pages(self, prefix: str) -> AsyncIterator[list[Listed]]:
        """Yield the objects below a prefix in pages of at most 1,000, by key."""
        async for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            entries = page.get("Contents", [])
            yield [Listed(entry["Key"], entry["Size"], entry["LastModified"]) for entry in entries]

    async def delete_prefix(self, prefix: str) -> int:
        """Delete every object below a prefix; return how many there were."""
        keys = [key async for key, _ in self.list_keys(prefix)]
        await self.delete(*keys)
        return len(keys)

    # -- multipart ------------------------------------------------------------------------------------------------

    async def start_multipart(self, key: str) -> str:
        """Begin a multipart upload and return its id."""
        answer = await self._s3.create_multipart_upload(Bucket=self._bucket, Key=key)
        return answer["UploadId"]

    async def uploaded_parts(self, key: str, upload_id: str) -> list[dict[str, Any]]:
        """Parts that have arrived: `{number, size, etag}`, by number; raises ObjectChanged when the upload is gone.

        SeaweedFS lists every copy of a part that was sent again: the newest is the last of its number.
        """
        try:
            answer = await self._s3.list_parts(Bucket=self._bucket, Key=key, UploadId=upload_id, MaxParts=10_000)
        except ClientError as error:
            if _missing(error):
                raise ObjectChanged(key) from None
            raise
        return [
            {"number": part["PartNumber"], "size": part["Size"], "etag": part["ETag"]}
            for part in sorted(answer.get("Parts", []), key=lambda part: (part["PartNumber"], part["LastModified"]))
        ]

    async def complete_multipart(self, key: str, upload_id: str, parts: list[dict[str, Any]]) -> None:
        """Join the parts `{number, etag}`; raises ObjectChanged when one is missing or differs."""
        try:
            await self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": [{"PartNumber": p["number"], "ETag": p["etag"]} for p in parts]},
            )
        except ClientError as error:
            if 400 <= error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise ObjectChanged(key) from None
            raise

    async def list_multiparts(self, prefix: str) -> AsyncIterator[tuple[str, str, datetime]]:
        """Yield (key, upload id, begun at) of every multipart upload below a prefix that was not completed."""
        paginator = self._s3.get_paginator("list_multipart_uploads")
        async for page in paginator.paginate(Bucket=self._bucket, Prefix=prefix):
            for entry in page.get("Uploads", []):
                yield entry["Key"], entry["UploadId"], entry["Initiated"]

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """Drop a multipart upload with its parts; one that is gone does not matter."""
        try:
            await self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if not _missing(error):
                raise


@asynccontextmanager
async def open_storage(config: settings.Storage) -> AsyncIterator[ObjectStore]:
    """Open the clients of this process."""
    objects = S3Store(
        config.bucket,
        endpoint=config.endpoint,
        access_key_id=config.access_key,
        secret_access_key=config.secret_key,
        region=config.region,
        virtual_hosted_style_request=False,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "read_timeout": timedelta(seconds=READ_S),
            "timeout": TRANSFER_LIMIT,
        },
        retry_config={"max_retries": TRIES - 1, "retry_timeout": timedelta(seconds=READ_S)},
    )
    session = aioboto3.Session(
        aws_access_key_id=config.access_key, aws_secret_access_key=config.secret_key, region_name=config.region
    )
    async with session.client(
        "s3",
        endpoint_url=config.endpoint,
        config=AioConfig(
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            retries={"max_attempts": TRIES, "mode": "standard"},
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            max_pool_connections=32,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    ) as client:
        yield ObjectStore(client, objects, config)
