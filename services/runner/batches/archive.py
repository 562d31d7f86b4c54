"""The archive of a chunk: outputs below `outputs/<input>/`, results that are too large for the list, the outcomes last.

Nothing is compressed: outputs are images.
"""

import time
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import msgspec

from shared.batches.outcomes import OUTCOMES, InputOutcome, OutputEntry, to_lines
from shared.batches.states import Archive
from shared.events import RESULT_IN_EVENT_BYTES
from shared.sandbox import OutputFile

CHUNK_BYTES = 1 << 20
LOCAL_HEADER_BYTES = 30


def write_archive(path: Path, key: str, ended: list[tuple[InputOutcome, list[OutputFile]]]) -> Archive:
    """Write the archive to a file and tell where things lie in it; for a thread.

    Completes each outcome by where its outputs and its result lie. Outputs are removed from this host on the way.
    """
    now = time.gmtime()[:6]
    with path.open("xb") as file, ZipFile(file, "w", ZIP_STORED) as archive:
        for outcome, outputs in ended:
            for output in sorted(outputs, key=lambda output: output.name):
                name = f"outputs/{outcome.name}/{output.name}"
                _add_file(archive, _info(name, now, output.size), output.path)
                outcome.outputs.append(OutputEntry(name=output.name, path=name, size=output.size, sha256=output.sha256))
            if outcome.result is not None:
                raw = msgspec.json.encode(outcome.result)
                if len(raw) > RESULT_IN_EVENT_BYTES:
                    outcome.result, outcome.result_path = None, f"results/{outcome.name}.json"
                    archive.writestr(_info(outcome.result_path, now, len(raw)), raw)
        records = file.tell()
        lines = to_lines(outcome for outcome, _ in ended)
        archive.writestr(_info(OUTCOMES, now, len(lines)), lines)
        directory_at = file.tell()
    return Archive(
        key=key,
        size=path.stat().st_size,
        records=records,
        outcomes_at=directory_at - len(lines),
        outcomes_size=len(lines),
        directory_at=directory_at,
    )


def _info(name: str, now: tuple[int, ...], size: int) -> ZipInfo:
    info = ZipInfo(name, now)  # type: ignore[arg-type]
    info.external_attr = 0o100644 << 16
    info.file_size = size
    return info


def _add_file(archive: ZipFile, info: ZipInfo, path: Path) -> None:
    if info.file_size <= CHUNK_BYTES:
        archive.writestr(info, path.read_bytes())
    else:
        with path.open("rb") as source, archive.open(info, "w") as target:
            while piece := source.read(CHUNK_BYTES):
                target.write(piece)
    path.unlink()
