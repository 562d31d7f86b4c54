"""Batches without any part: what a ZIP of inputs holds, how it is cut, archives that are joined, who goes first."""

import asyncio
import io
import secrets
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.runner.batches.archive import write_archive
from services.runner.batches.chunk import Tail
from services.runner.batches.turns import Turns
from shared.batches import joined
from shared.batches.inputs import CHUNK_BYTES, CHUNK_INPUTS, BatchInput, cut, read_inputs
from shared.batches.outcomes import LOG_BYTES, OUTCOMES, InputOutcome, from_lines, undone
from shared.batches.states import Archive
from shared.errors import PackageError, TooLarge
from shared.sandbox import OutputFile
from shared.settings import Limits

LIMITS = Limits()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def inputs_of(data: bytes, limits: Limits = LIMITS) -> list[BatchInput]:
    return read_inputs(io.BytesIO(data), len(data), limits)


def an_input(n: int, size: int = 10) -> BatchInput:
    return BatchInput(
        name=f"{n}.png", header=n * (size + 40), end=(n + 1) * (size + 40), compressed=size, size=size, method=0, crc=0
    )


class TestInputs:
    """What the directory tells."""

    def test_files_in_their_order_without_folders_and_droppings(self) -> None:
        names = ["b.png", "sub/a.png", "sub/", "__MACOSX/b.png", "sub/._a.png", ".DS_Store", "sub/Thumbs.db"]
        found = inputs_of(zipped({name: b"x" * 5 for name in names if not name.endswith("/")} | {"sub/": b""}))
        assert [each.name for each in found] == ["b.png", "sub/a.png"]
        assert [each.size for each in found] == [5, 5]

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_each_lies_where_it_is_said_to_lie(self, method: int) -> None:
        data = zipped({f"{n}.png": secrets.token_bytes(1000) * 2 for n in range(5)}, method)
        for each in inputs_of(data):
            assert data[each.header : each.header + 4] == b"PK\x03\x04"
            assert each.header + 30 + len(each.name) + each.compressed <= each.end

    @pytest.mark.parametrize(
        ("names", "code", "words"),
        [
            ([], "ARCHIVE_CORRUPT", "no file"),
            (["../up.png"], "PATH_INVALID", "'..'"),
            (["/etc/passwd"], "PATH_INVALID", "absolute"),
            (["a", "a/b.png"], "NAME_COLLISION", "folder of"),
        ],
    )
    def test_what_cannot_be_taken(self, names: list[str], code: str, words: str) -> None:
        with pytest.raises(PackageError) as caught:
            inputs_of(zipped(dict.fromkeys(names, b"x")))
        assert caught.value.code == code
        assert words in caught.value.message

    def test_the_same_name_twice(self) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("a.png", b"1")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("a.png", b"2")
        with pytest.raises(PackageError, match="two inputs") as caught:
            inputs_of(out.getvalue())
        assert caught.value.code == "NAME_COLLISION"

    def test_no_zip_is_told_what_it_is(self) -> None:
        with pytest.raises(PackageError, match="a PNG image") as caught:
            inputs_of(b"\x89PNG\r\n\x1a\n" + bytes(1000))
        assert "inputs.zip" in caught.value.message
        assert "predict.py" not in caught.value.message

    def test_entries_that_share_bytes(self) -> None:
        data = bytearray(zipped({"a.png": b"x" * 100, "b.png": b"y" * 100}))
        second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
        data[second + 42 : second + 46] = (5).to_bytes(4, "little")  # b.png begins inside of a.png
        with pytest.raises(PackageError, match="reaches into"):
            inputs_of(bytes(data))

    def test_too_many(self) -> None:
        files = {f"{n}.png": b"" for n in range(11)}
        assert len(inputs_of(zipped(files), Limits(batch_inputs=11))) == 11
        with pytest.raises(TooLarge, match="11 inputs; the limit is 10"):
            inputs_of(zipped(files), Limits(batch_inputs=10))
        with pytest.raises(TooLarge, match="more than 5"):
            inputs_of(zipped(files), Limits(batch_inputs=10, entries=5))


class TestCut:
    """Chunks of consecutive inputs."""

    @pytest.mark.parametrize(("count", "chunks"), [(1, 1), (5, 5), (16, 16), (32, 16), (200, 16), (1000, 20)])
    def test_many_small_ones(self, count: int, chunks: int) -> None:
        inputs = [an_input(n) for n in range(count)]
        found = cut(inputs)
        assert [each for chunk in found for each in chunk] == inputs
        assert len(found) == chunks
        assert max(map(len, found)) <= CHUNK_INPUTS

    def test_a_chunk_fits_on_a_disk(self) -> None:
        inputs = [an_input(n, CHUNK_BYTES // 3) for n in range(100)]
        assert {len(chunk) for chunk in cut(inputs)} <= {1, 2}
        assert len(cut([an_input(0, 2 * CHUNK_BYTES)])) == 1


class TestArchive:
    """The archive of a chunk, and all of them as one."""

    def ended(self, folder: Path, first: int, outputs: dict[str, bytes]) -> list[tuple[InputOutcome, list[OutputFile]]]:
        found = []
        for n, (name, data) in enumerate(outputs.items()):
            path = folder / f"{first}-{n}"
            path.write_bytes(data)
            output = OutputFile(name="deep/out.bin", path=path, size=len(data), sha256="s")
            outcome = InputOutcome(index=first + n, name=name, status="SUCCEEDED", result={"n": n})
            found.append((outcome, [output]))
        return found

    def join(self, archives: list[tuple[Archive, bytes]]) -> bytes:
        """As the gateway does, from bytes instead of storage."""
        out, entries = b"", 0
        places = []
        for archive, data in archives:
            places.append(len(out))
            out += data[: archive.records]
        outcomes = joined.Squeezed(OUTCOMES, len(out), datetime.now(UTC))
        out += outcomes.begin()
        for archive, data in archives:
            out += outcomes.more(data[archive.outcomes_at : archive.outcomes_at + archive.outcomes_size])
        out += outcomes.end()
        at = len(out)
        for (archive, data), begins in zip(archives, places, strict=True):
            records, count = joined.moved(data[archive.directory_at :], before=archive.records, by=begins)
            out += records
            entries += count
        out += outcomes.record()
        return out + joined.end(entries=entries + 1, at=at, size=len(out) - at)

    def test_several_become_one(self, tmp_path: Path) -> None:
        contents = {f"ä {n}/x.png": secrets.token_bytes(3000 + n) for n in range(7)}
        names = list(contents)
        archives = []
        for first in (0, 3):
            some = {name: contents[name] for name in (names[:3] if first == 0 else names[3:])}
            path = tmp_path / f"{first}.zip"
            archive = write_archive(path, "k", self.ended(tmp_path, first, some))
            with zipfile.ZipFile(path) as alone:
                assert alone.testzip() is None
                assert alone.namelist() == [*(f"outputs/{name}/deep/out.bin" for name in some), OUTCOMES]
            archives.append((archive, path.read_bytes()))
        with zipfile.ZipFile(io.BytesIO(self.join(archives))) as whole:
            assert whole.testzip() is None
            found = {name: whole.read(name) for name in whole.namelist()}
        outcomes = from_lines(found.pop(OUTCOMES))
        assert found == {f"outputs/{name}/deep/out.bin": data for name, data in contents.items()}
        assert [(each.index, each.name, each.outputs[0].size) for each in outcomes] == [
            (n, name, 3000 + n) for n, name in enumerate(names)
        ]

    def test_a_large_result_lies_beside(self, tmp_path: Path) -> None:
        outcome = InputOutcome(index=0, name="a.png", status="SUCCEEDED", result={"x": "y" * 40_000})
        write_archive(tmp_path / "a.zip", "k", [(outcome, [])])
        with zipfile.ZipFile(tmp_path / "a.zip") as archive:
            [told] = from_lines(archive.read(OUTCOMES))
            assert (told.result, told.result_path) == (None, "results/a.png.json")
            assert len(archive.read("results/a.png.json")) > 40_000

    def test_beyond_four_gibibytes(self) -> None:
        """Places that need 64 bits, in the records and at the end."""
        name = b"a.bin"
        record = joined._record([b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0], name, 10, 10, 100)
        far, count = joined.moved(record, before=101, by=5 << 30)
        assert count == 1
        at = 6 << 30
        tail = far + joined.end(entries=1, at=at, size=len(far))
        shift = 1 << 20  # so much of the file before its directory is there

        class Far(io.BytesIO):
            """The end of a file that begins six gibibytes earlier."""

            def seek(self, offset: int, whence: int = 0) -> int:
                return super().seek(offset - (at - shift) if whence == 0 else offset, whence) + (at - shift)

            def tell(self) -> int:
                return super().tell() + (at - shift)

        with zipfile.ZipFile(Far(bytes(shift) + tail)) as archive:
            [info] = archive.infolist()
            assert (info.header_offset, info.file_size) == ((5 << 30) + 100, 10)

    def test_records_beyond_a_place_are_left_out(self, tmp_path: Path) -> None:
        archive = write_archive(tmp_path / "a.zip", "k", self.ended(tmp_path, 0, {"a.png": b"1"}))
        directory = (tmp_path / "a.zip").read_bytes()[archive.directory_at :]
        assert joined.moved(directory, before=archive.records, by=0)[1] == 1
        assert joined.moved(directory, before=archive.size, by=0)[1] == 2


def test_the_end_of_a_log_is_kept() -> None:
    tail = Tail()
    for n in range(5000):
        tail.write(f"line {n}")
    assert tail.text.endswith("line 4999\n")
    assert LOG_BYTES - 100 < len(tail.text) <= LOG_BYTES
    tail.write("x" * 100_000)
    assert len(tail.text) <= LOG_BYTES + 1


def test_inputs_without_an_end() -> None:
    assert [each.status for each in undone("QUEUED", 5, ["a", "b"], None)] == ["QUEUED", "QUEUED"]
    [lost] = undone("FAILED", 5, ["a"], "no time")
    assert (lost.index, lost.status, lost.error_code, lost.error_message) == (5, "FAILED", "PLATFORM_ERROR", "no time")
    [canceled] = undone("CANCELED", 5, ["a"], None)
    assert (canceled.status, canceled.error_code) == ("CANCELED", "CANCELED")


class TestTurns:
    """Jobs first, and a batch always has one turn."""

    @staticmethod
    async def chunk(turns: Turns, log: list[str], name: str, inputs: int) -> None:
        async with turns.chunk() as turn:
            for n in range(inputs):
                await turn.between_inputs()
                log.append(f"{name}{n}")
                await asyncio.sleep(0.01)

    async def test_as_many_chunks_as_slots_each_to_its_end(self) -> None:
        turns, log = Turns(2), []
        await asyncio.gather(*[self.chunk(turns, log, name, 3) for name in "abc"])
        assert [name[0] for name in log] == ["a", "b", "a", "b", "a", "b", "c", "c", "c"]

    async def test_a_job_gets_a_turn_between_two_inputs_and_the_last_turn_stays(self) -> None:
        turns = Turns(2)
        async with turns.chunk() as one, turns.chunk() as two:
            with turns.job(), turns.job(), turns.job():
                later = asyncio.create_task(one.between_inputs())
                await asyncio.sleep(0)
                assert not later.done()
                async with asyncio.timeout(1):
                    await two.between_inputs()  # a batch is never wholly stopped
                assert not later.done()
            async with asyncio.timeout(1):
                await later
                await one.between_inputs()

    async def test_who_was_interrupted_goes_on_before_who_has_not_begun(self) -> None:
        turns, log = Turns(2), []
        async with turns.chunk(), turns.chunk() as two:
            with turns.job():
                new = asyncio.create_task(self.chunk(turns, log, "new", 1))
                back = asyncio.create_task(two.between_inputs())
                await asyncio.sleep(0)
            async with asyncio.timeout(1):
                await back
            assert log == []
        await new
        assert log == ["new0"]

    async def test_who_gives_up_waiting_keeps_nobody(self) -> None:
        turns = Turns(1)
        async with turns.chunk():
            waiting = asyncio.create_task(self.chunk(turns, [], "x", 1))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(1), turns.chunk():
            pass
