"""A model's package: a ZIP that is judged by reading it, never by running or importing any of it (docs/packages.md).

    package = read_package(path, Rules.load())      # raises PackageError, or BuildError for a malformed requirement
    write_tar(package, tar_path)                    # streams every file once: sizes and checksums are proven here

`check_package` does both and, given a tar path, keeps what it unpacks.
"""

from shared.package.check import check_package, read_package
from shared.package.model import Package, Rules, Stopped
from shared.package.unpack import extract, tar_pieces, verify, write_tar

__all__ = [
    "Package",
    "Rules",
    "Stopped",
    "check_package",
    "extract",
    "read_package",
    "tar_pieces",
    "verify",
    "write_tar",
]
