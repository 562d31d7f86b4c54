"""The check of a package, step by step: archive → tree → source → configuration → requirements → every byte."""

from collections.abc import Callable
from pathlib import Path

from shared.codes import PackageCode
from shared.package import config, requirements, source
from shared.package.directory import directory_start, read_directory
from shared.package.missing import predict_missing, requirements_missing
from shared.package.model import Config, Entry, KeepOn, Package, Rules, amount, fault
from shared.package.model import keep_on as never_stop
from shared.package.tree import Tree, plant
from shared.package.unpack import Reader, verify, write_tar

README_BYTES_MAX = 64 * 1024
RATIO_FROM_BYTES = 1024**2
"""Packages that unpack to less than this are no bombs, however well they compress."""
WARNINGS_MAX = 40


def check_package(path: Path, rules: Rules, *, tar: Path | None = None, keep_on: KeepOn = never_stop) -> Package:
    """Check a package wholly, in memory that does not grow with it; with `tar`, keep what is unpacked there.

    Takes seconds for gigabytes: call it in a thread. Raises PackageError; BuildError (RESOLUTION_FAILED) for a
    requirement that could never be resolved; whatever `keep_on` raises.
    """
    package = read_package(path, rules, keep_on=keep_on)
    if tar is None:
        verify(package, keep_on)
    else:
        write_tar(package, tar, keep_on)
    return package


def read_package(path: Path, rules: Rules, *, keep_on: KeepOn = never_stop) -> Package:
    """Judge all but the bytes of files that only the model reads. Raises as `check_package`."""
    limits, size = rules.limits, path.stat().st_size
    if size > limits.zip_bytes:
        raise fault(
            PackageCode.ARCHIVE_TOO_LARGE,
            f"the ZIP has {amount(size)} and the limit is {amount(limits.zip_bytes)}; "
            "leave out data, or let the builder fetch large weights ([[weights]] in clinai.toml)",
        )
    with path.open("rb") as file:
        entries = read_directory(file, size, entries_max=limits.entries)
        tree = plant(entries, entries_max=limits.entries)
        _check_sizes(tree, rules)
        _check_root(tree)
        reader = Reader(file, entries, directory_start(file, size))
        keep_on()
        return _judge(path, tree, reader, rules, keep_on)


def _judge(path: Path, tree: Tree, reader: Reader, rules: Rules, keep_on: KeepOn) -> Package:
    files, warnings = tree.files, list(tree.warnings)
    asked = _config(tree, reader, rules)
    python = asked.python or rules.python
    sources = source.choose_helpers({name: entry.size for name, entry in files.items()})
    if files[source.PREDICT].size > source.PREDICT_BYTES_MAX:
        raise source.too_large(files[source.PREDICT].size)
    found = source.read_source(
        _all(reader, files[source.PREDICT]),
        {name: _all(reader, files[name]) for name in sources},
        python=python,
        keep_on=keep_on,
    )
    wanted = requirements.read_requirements(
        _requirement_file(reader, files)(requirements.NAME), list(files), _requirement_file(reader, files), rules
    )
    if asked.parameters and found.accepts_params is False:
        warnings.append("clinai.toml declares parameters, and run() takes none; add params as its third parameter")
    readme, cut = _readme(tree, reader)
    return Package(
        path=path,
        files=files,
        folders=tree.folders,
        python=python,
        config=asked,
        source=found,
        requirements=wanted,
        readme=readme,
        warnings=tuple([*warnings, *found.warnings, *wanted.warnings, *cut][:WARNINGS_MAX]),
        unpacked_bytes=sum(entry.size for entry in files.values()),
    )


def _check_sizes(tree: Tree, rules: Rules) -> None:
    """Judge what the directory declares; that it tells the truth is proven when each entry is unpacked."""
    limits, entries = rules.limits, tree.files.values()
    total, compressed = sum(entry.size for entry in entries), sum(entry.compressed for entry in entries)
    if total > limits.unpacked_bytes:
        raise fault(
            PackageCode.ARCHIVE_TOO_LARGE,
            f"the ZIP unpacks to {amount(total)} and the limit is {amount(limits.unpacked_bytes)}; "
            "leave out data, or let the builder fetch large weights ([[weights]] in clinai.toml)",
        )
    if total > RATIO_FROM_BYTES and total > limits.ratio * max(compressed, 1):
        largest = max(entries, key=lambda entry: entry.size / max(entry.compressed, 1))
        raise fault(
            PackageCode.ARCHIVE_TOO_LARGE,
            f"the ZIP unpacks to {total // max(compressed, 1)} times its size and the limit is {limits.ratio}, as a "
            f"ZIP bomb does; look at '{largest.name}' and leave out what is empty or repeats itself",
        )


def _check_root(tree: Tree) -> None:
    if source.PREDICT not in tree.files:
        raise predict_missing(tree)
    if requirements.NAME not in tree.files:
        raise requirements_missing(tree)


def _config(tree: Tree, reader: Reader, rules: Rules) -> Config:
    entry = tree.files.get(config.NAME)
    if entry is None:
        return Config()
    raw = reader.small(
        entry, limit=config.BYTES_MAX, code=PackageCode.CONFIG_INVALID, cure="keep settings of your own in another file"
    )
    asked = config.read_config(raw, rules)
    config.check_weights_fit(asked, list(tree.files))
    return asked


def _requirement_file(reader: Reader, files: dict[str, Entry]) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        if files[name].size > requirements.BYTES_MAX:
            raise requirements.too_large(name, files[name].size)
        return _all(reader, files[name])

    return read


def _readme(tree: Tree, reader: Reader) -> tuple[str | None, list[str]]:
    """Return the model's card; what is longer than the limit is cut, since it is only read by people."""
    name = next((name for name in sorted(tree.files) if name.lower() in ("readme.md", "readme.markdown")), None)
    if name is None:
        return None, []
    raw = b""
    for piece in reader.chunks(tree.files[name]):
        raw += piece
        if len(raw) > README_BYTES_MAX:
            break
    text = raw[:README_BYTES_MAX].decode("utf-8-sig", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(raw) > README_BYTES_MAX:
        return text, [f"{name} is shown up to {amount(README_BYTES_MAX)}; it has {amount(tree.files[name].size)}"]
    return text, []


def _all(reader: Reader, entry: Entry) -> bytes:
    return b"".join(reader.chunks(entry))
