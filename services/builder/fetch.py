"""The package: from quarantine to a key named by its hash, where no client can write (design, section 6)."""

from pathlib import Path

import msgspec

from services.builder.build import Build
from shared.codes import PackageCode
from shared.errors import PackageError, PlatformFault
from shared.storage import ObjectChanged, ObjectTooLarge


class FetchedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package on this host's disk, and where it is kept."""

    path: Path
    key: str
    sha256: str
    size: int
    etag: str
    """Of the upload, as it was read."""


async def fetch_package(build: Build) -> FetchedPackage:
    """Stream the upload to disk and hash it on the way.

    May be called again by a later epoch: then the kept copy is read and must have its hash. Raises PackageError
    (CONTENT_CHANGED, ARCHIVE_TOO_LARGE).
    """
    row, storage, limits = build.claim.row, build.parts.storage, build.parts.limits
    path = build.folder / "package.zip"
    if row["package_path"]:
        got = await storage.fetch(row["package_path"], path, limit_bytes=limits.zip_bytes)
        if got.sha256 != row["package_sha256"]:
            raise PlatformFault(f"storage does not give back what was put under {row['package_path']}")
    else:
        try:
            got = await storage.fetch(row["upload_key"], path, limit_bytes=limits.zip_bytes, etag=row["upload_etag"])
        except ObjectChanged:
            raise _changed() from None
        except ObjectTooLarge:
            raise PackageError(
                PackageCode.ARCHIVE_TOO_LARGE, f"the ZIP is larger than the limit of {limits.zip_bytes} bytes"
            ) from None
    return FetchedPackage(
        path=path, key=f"packages/sha256/{got.sha256}", sha256=got.sha256, size=got.size, etag=got.etag
    )


async def keep_package(build: Build, fetched: FetchedPackage) -> None:
    """Have storage copy exactly what was hashed to where no client can write. Raises PackageError (CONTENT_CHANGED)."""
    row, storage = build.claim.row, build.parts.storage
    if row["package_path"]:
        return
    kept = await storage.head(fetched.key)
    if kept is not None and kept.size == fetched.size:
        return
    try:
        await storage.copy(row["upload_key"], fetched.key, etag=fetched.etag)
    except ObjectChanged:
        raise _changed() from None


def _changed() -> PackageError:
    return PackageError(
        PackageCode.CONTENT_CHANGED,
        "the uploaded ZIP was replaced or removed after `build` was called; make a new version and upload it again",
    )
