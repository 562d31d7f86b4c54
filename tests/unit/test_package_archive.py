"""The archive of a package: what a ZIP may be, and that nothing in its headers is believed."""

import io
import os
import random
import stat
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import PackageError, WorkError
from shared.package import Package, Rules, Stopped, check_package, extract, read_package, write_tar
from shared.settings import Limits
from tests.conftest import make_zip
from tests.zips import GOOD, Raw, good, raw_zip

RULES = Rules(limits=Limits())
Check = Callable[..., Package]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check the bytes of a ZIP under some limits."""

    def check(data: bytes, **limits: int) -> Package:
        path = tmp_path / "package.zip"
        path.write_bytes(data)
        return check_package(path, Rules(limits=Limits(**limits)), tar=tmp_path / "code.tar")

    return check


def refused(check: Check, data: bytes, code: str, *says: str, **limits: int) -> str:
    with pytest.raises(PackageError) as caught:
        check(data, **limits)
    message = caught.value.message
    assert caught.value.code == code, message
    for words in says:
        assert words in message, message
    assert len(message.encode()) < 1500
    assert message.isprintable()
    return message


# -- no ZIP, half a ZIP -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"this is no ZIP", "no ZIP file"),
        (b"PK", "no ZIP file"),
        (b"PK\x03\x04" + bytes(100), "its end is missing after 104 bytes"),
        (b"\x1f\x8b\x08" + bytes(50), "gzip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), "7z"),
        (b"Rar!\x1a\x07" + bytes(50), "RAR"),
        (bytes(257) + b"ustar" + bytes(400), "tar archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (bytes(70000), "no ZIP file"),
        (b"PK\x05\x06", "damaged"),
        (b"PK\x05\x06" * 20000, "damaged"),
    ],
)
def test_what_is_no_zip_is_told(check: Check, data: bytes, says: str) -> None:
    refused(check, data, "ARCHIVE_CORRUPT", says)


def test_every_truncation_of_a_package_is_refused(check: Check) -> None:
    whole = make_zip({"predict.py": GOOD, "requirements.txt": "Pillow==11.3.0\n", "w.bin": bytes(range(256))})
    assert check(whole)
    for length in range(len(whole)):
        with pytest.raises(PackageError) as caught:
            check(whole[:length])
        assert caught.value.code == "ARCHIVE_CORRUPT", (length, caught.value.message)


def test_changed_bytes_end_in_a_code_or_change_nothing(check: Check, tmp_path: Path) -> None:
    whole = make_zip({"predict.py": GOOD, "requirements.txt": "", "data/w.bin": os.urandom(64) * 20})
    chance = random.Random(7)
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            package = check(bytes(broken))
        except WorkError:
            continue
        assert {"predict.py", "requirements.txt"} <= package.files.keys()


def test_bytes_cut_out_or_put_in_the_middle_are_noticed(check: Check) -> None:
    whole = raw_zip(good(Raw(b"w.bin", bytes(range(200)))))
    middle = whole.index(b"w.bin") + 50
    refused(check, whole[:middle] + whole[middle + 9 :], "ARCHIVE_CORRUPT")
    refused(check, whole + b"x", "ARCHIVE_CORRUPT", "something follows it")


def test_comment_prefix_and_zip64_are_fine(check: Check) -> None:
    assert check(raw_zip(good(), comment=b"made by hand"))
    assert check(raw_zip(good(), before=b"#!/usr/bin/env python\n"))
    assert check(raw_zip(good(Raw(b"w.bin", b"abc", zip64=True)), end64=True)).files["w.bin"].size == 3


def test_a_comment_may_hold_the_mark_of_an_end(check: Check) -> None:
    assert check(raw_zip(good(), comment=b"x PK\x05\x06 y" + bytes(30)))


# -- what the headers say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (Raw(b"w.bin", b"abc", crc=1), "checksum"),
        (Raw(b"w.bin", b"abc" * 99, method=8, crc=1), "checksum"),
        (Raw(b"w.bin", b"abc" * 99, method=8, size=10), "unpacks to more"),
        (Raw(b"w.bin", b"abc" * 99, method=8, size=1000), "unpacks to 297"),
        (Raw(b"w.bin", b"abc", method=8, packed=b"\xff" * 20), "cannot be unpacked"),
        (Raw(b"w.bin", b"abc", method=12, packed=b"BZh9" + bytes(20)), "cannot be unpacked"),
        (Raw(b"w.bin", b"abc" * 99, method=8, packed=zlib.compress(b"abc" * 99)[2:20]), "w.bin"),
        (Raw(b"w.bin", b"abc", size=4), "its two sizes differ"),
        (Raw(b"w.bin", b"abc", local_name=b"x.bin"), "another name in its own header"),
        (Raw(b"w.bin", b"abc", offset=0), "another name"),
        (Raw(b"w.bin", b"abc", offset=7), "no header"),
        (Raw(b"w.bin", b"abc", offset=10**6), "no header"),
        (Raw(b"w.bin", b"abc", size=10**6, compressed=10**6), "reaches beyond the end"),
        (Raw(b"w/", b"abc"), "contents of its own"),
    ],
)
def test_headers_that_lie_are_noticed(check: Check, entry: Raw, says: str) -> None:
    refused(check, raw_zip(good(entry)), "ARCHIVE_CORRUPT", says, "w")


def test_bytes_behind_the_end_of_a_deflate_stream_are_noticed(check: Check) -> None:
    packed = Raw(b"w.bin", b"abc" * 99, method=8).stored
    refused(
        check, raw_zip(good(Raw(b"w.bin", b"abc" * 99, method=8, packed=packed + b"xyz"))), "ARCHIVE_CORRUPT", "belong"
    )


def test_entries_that_share_bytes_are_refused(check: Check) -> None:
    """The bomb of David Fifield (2019): many entries, one kernel of data."""
    inner = raw_zip([Raw(b"b.bin", b"x" * 100)])[:150]
    outer = Raw(b"a.bin", inner)
    shifted = len(raw_zip(good())[: raw_zip(good()).index(b"PK\x01\x02")]) + 30 + len(b"a.bin")
    refused(check, raw_zip(good(outer, Raw(b"b.bin", b"x" * 100, offset=shifted))), "ARCHIVE_CORRUPT", "share bytes")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (Raw(b"w.bin", b"abc", flags=1), "encrypted"),
        (Raw(b"w.bin", b"abc", flags=1, method=99), "encrypted"),
        (Raw(b"w.bin", b"abc", method=9), "Deflate64"),
        (Raw(b"w.bin", b"abc", method=14), "LZMA"),
        (Raw(b"w.bin", b"abc", method=93), "Zstandard"),
        (Raw(b"w.bin", b"abc", method=77), "method 77"),
    ],
)
def test_what_nobody_here_can_read(check: Check, entry: Raw, says: str) -> None:
    refused(check, raw_zip(good(entry)), "ARCHIVE_UNSUPPORTED", says, "w.bin")


def test_encryption_named_only_in_the_local_header_is_noticed(check: Check) -> None:
    data = bytearray(raw_zip(good(Raw(b"w.bin", b"abc"))))
    data[data.index(b"w.bin") - 24] |= 1
    refused(check, bytes(data), "ARCHIVE_UNSUPPORTED", "encrypted")


def test_split_archives_are_unsupported(check: Check) -> None:
    refused(check, raw_zip(good(), disk=1), "ARCHIVE_UNSUPPORTED", "split")


def test_bzip2_can_be_read(check: Check, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        for name, text in {"predict.py": GOOD, "requirements.txt": "", "w.bin": os.urandom(50) * 9000}.items():
            archive.writestr(name, text)
    assert check(out.getvalue()).files["w.bin"].size == 450000


# -- sizes and numbers --------------------------------------------------------------------------------------------


def test_zip_over_its_limit(check: Check) -> None:
    refused(check, raw_zip(good(Raw(b"w", bytes(2000)))), "ARCHIVE_TOO_LARGE", "the limit is 1 KiB", zip_bytes=1024)


def test_unpacked_over_its_limit(check: Check) -> None:
    data = raw_zip(good(Raw(b"w", os.urandom(3000))))
    refused(check, data, "ARCHIVE_TOO_LARGE", "unpacks to", unpacked_bytes=2048)


def test_a_bomb_is_refused_before_it_is_unpacked(check: Check) -> None:
    data = make_zip({"predict.py": GOOD, "requirements.txt": "", "bomb.bin": bytes(40 << 20)})
    refused(check, data, "ARCHIVE_TOO_LARGE", "bomb.bin", "the limit is 200")


def test_a_bomb_that_hides_its_size_is_stopped_at_what_it_declares(check: Check) -> None:
    bomb = Raw(b"bomb.bin", bytes(40 << 20), method=8, size=1000)
    tracemalloc.start()
    refused(check, raw_zip(good(bomb)), "ARCHIVE_CORRUPT", "unpacks to more")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_small_files_may_compress_well(check: Check) -> None:
    assert check(make_zip({"predict.py": GOOD, "requirements.txt": "", "zeros.bin": bytes(500_000)}))


def test_too_many_entries_declared_and_counted(check: Check) -> None:
    many = good(*(Raw(b"f%d" % n) for n in range(20)))
    refused(check, raw_zip(many), "ARCHIVE_TOO_MANY_ENTRIES", "22 entries", "limit is 20", entries=20)
    refused(check, raw_zip(many, count=3), "ARCHIVE_TOO_MANY_ENTRIES", "more than 20", entries=20)
    refused(check, raw_zip(many, count=30), "ARCHIVE_CORRUPT", "holds 22 entries and says it holds 30")
    deep = good(*(Raw(b"/".join([b"%d" % n] + [b"d"] * 20)) for n in range(10)))
    refused(check, raw_zip(deep), "ARCHIVE_TOO_MANY_ENTRIES", "files and folders", entries=50)


def test_a_directory_of_millions_is_not_read_into_memory(check: Check) -> None:
    many = raw_zip([Raw(b"f%06d" % n) for n in range(60_000)], count=60_000)
    tracemalloc.start()
    refused(check, many, "ARCHIVE_TOO_MANY_ENTRIES", "60000")
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


def test_memory_stays_flat_for_large_files(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    block = os.urandom(1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("predict.py", GOOD)
        archive.writestr("requirements.txt", "")
        with archive.open("weights.bin", "w", force_zip64=True) as out:
            for _ in range(96):
                out.write(block)
    tracemalloc.start()
    check_package(path, RULES, tar=tmp_path / "large.tar")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert (tmp_path / "large.tar").stat().st_size > 96 << 20


def test_a_check_can_be_stopped_between_two_pieces(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(raw_zip(good(Raw(b"w.bin", os.urandom(3 << 20)))))
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls > 8:
            raise Stopped

    with pytest.raises(Stopped):
        check_package(path, RULES, keep_on=stop)
    assert calls == 9


# -- names, kinds, collisions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (b"/etc/passwd", "absolute"),
        (b"../x", "leads out"),
        (b"a/../../x", "leads out"),
        (b"a/..", "leads out"),
        (b"a\\b", "backslash"),
        (b"..\\x", "backslash"),
        (b"C:/x", "drive letter"),
        (b"c:x", "drive letter"),
        (b"a//b", "empty part"),
        (b"./a", "'.' between"),
        (b"a/./b", "'.' between"),
        (b"", "empty"),
        (b"/", "empty"),
        (b"a\0b", "control character"),
        (b"a\nb", "control character"),
        (b"a\x1b[31m", "control character"),
        ("a\u202etxt.exe".encode(), "control character"),
        ("a\u2028b".encode(), "control character"),
        (b"a" * 256, "too long"),
        (b"/".join([b"b" * 200] * 6), "too long"),
        (b"/".join([b"d"] * 40), "deeper"),
        (b"Gr\x81\xe1e.txt", "not UTF-8"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\xed\xa0\x80", "not UTF-8"),
    ],
)
def test_names_that_are_refused(check: Check, name: bytes, says: str) -> None:
    refused(check, raw_zip(good(Raw(name, b"x" if not name.endswith(b"/") else b""))), "PATH_INVALID", says)


def test_good_names(check: Check) -> None:
    names = ["a b.txt", "naïve.txt", "名前/重み.bin", ".hidden", "a...b", "..a/b", "x" * 255, "weights (1).bin", "ab:c"]
    package = check(raw_zip(good(*(Raw(name.encode(), b"x") for name in names))))
    assert set(names) <= package.files.keys()


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([b"a.txt", b"a.txt"], "twice"),
        ([b"A.txt", b"a.txt"], "differ only in case"),
        ([b"Model/a", b"model/b"], "differ only in case"),
        (["é.txt".encode(), "e\u0301.txt".encode()], "how an accent is written"),
        (["straße".encode(), b"STRASSE"], "differ only in case"),
        ([b"a", b"a/b"], "both a file and a folder"),
        ([b"a/b", b"a"], "both a file and a folder"),
        ([b"a/", b"a"], "both a file and a folder"),
        ([b"a", b"A/b"], "both a file and a folder"),
        ([b"Predict.py"], "differ only in case"),
        ([b"predict.py/x"], "both a file and a folder"),
    ],
)
def test_collisions(check: Check, names: list[bytes], says: str) -> None:
    refused(check, raw_zip(good(*(Raw(name) for name in names))), "NAME_COLLISION", says)


def test_a_folder_may_be_named_more_than_once(check: Check) -> None:
    package = check(raw_zip(good(Raw(b"a/"), Raw(b"a/b"), Raw(b"a/"), Raw(b"empty/"))))
    assert package.folders == ("a", "empty")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFCHR, "character device"),
        (stat.S_IFBLK, "block device"),
        (stat.S_IFIFO, "named pipe"),
        (stat.S_IFSOCK, "socket"),
        (stat.S_IFDIR, "marked as a folder"),
        (0o170000, "unknown kind"),
    ],
)
def test_kinds_that_are_refused(check: Check, kind: int, says: str) -> None:
    refused(check, raw_zip(good(Raw(b"w", b"/etc/passwd", mode=kind | 0o777))), "ENTRY_TYPE_FORBIDDEN", says, "'w'")


def test_a_link_that_a_real_tool_made_is_refused(check: Check, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("predict.py", GOOD)
        archive.writestr("requirements.txt", "")
        link = zipfile.ZipInfo("weights.bin")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/root/.ssh/id_rsa")
    refused(check, out.getvalue(), "ENTRY_TYPE_FORBIDDEN", "weights.bin")


# -- what is left out ---------------------------------------------------------------------------------------------


def test_what_no_model_needs_is_left_out_with_a_warning(check: Check) -> None:
    junk = ["__MACOSX/._predict.py", "sub/.DS_Store", "sub/__pycache__/a.pyc", ".git/HEAD", ".git/a/b", "._predict.py"]
    junk += [".venv/pyvenv.cfg", ".venv/lib/x.py", "Dockerfile", "sub/Thumbs.db", ".ipynb_checkpoints/x.ipynb"]
    files = {"predict.py": GOOD, "requirements.txt": "", "sub/a.bin": "x"}
    package = check(make_zip({**files, **dict.fromkeys(junk, "x")}))
    assert package.files.keys() == files.keys()
    text = " ".join(package.warnings)
    assert "Dockerfile is ignored" in text
    for name in ("__MACOSX/", ".git/ (2)", "the virtual environment .venv/ (2)"):
        assert name in text


def test_links_in_what_is_left_out_do_no_harm(check: Check) -> None:
    link = Raw(b"venv/bin/python", b"/usr/bin/python3", mode=stat.S_IFLNK | 0o777)
    assert "venv/bin/python" not in check(raw_zip(good(Raw(b"venv/pyvenv.cfg", b"x"), link))).files


# -- unpacking ----------------------------------------------------------------------------------------------------


def test_the_tar_holds_the_files_with_modes_of_ours(check: Check, tmp_path: Path) -> None:
    files = {"predict.py": GOOD, "requirements.txt": "", "deep/er/w.bin": os.urandom(700_000)}
    entries = [Raw(name.encode(), content if isinstance(content, bytes) else content.encode(), 8, mode=0o104777)
               for name, content in files.items()]  # fmt: skip
    check(raw_zip([*entries, Raw(b"empty/", mode=0o040777)]))
    with tarfile.open(tmp_path / "code.tar") as tar:
        members = {member.name: member for member in tar}
        assert set(members) == {*files, "deep", "deep/er", "empty"}
        for member in members.values():
            assert (member.uid, member.gid, member.mode) == (0, 0, 0o755 if member.isdir() else 0o644)
            assert member.isdir() or member.isreg()
        for name, content in files.items():
            found = tar.extractfile(name)
            assert found is not None
            assert found.read() == (content if isinstance(content, bytes) else content.encode())


def test_the_same_files_give_the_same_tar(check: Check, tmp_path: Path) -> None:
    tars = []
    for method in (0, 8):
        check(raw_zip([Raw(b"predict.py", GOOD.encode(), method), Raw(b"requirements.txt")]))
        tars.append((tmp_path / "code.tar").read_bytes())
    assert tars[0] == tars[1]


def test_files_are_unpacked_into_a_folder_with_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(make_zip({"predict.py": GOOD, "requirements.txt": "", "wheels/a.whl": b"abc", "w.bin": "x"}))
    package = read_package(path, RULES)
    digests = extract(package, ["wheels/a.whl"], tmp_path / "out")
    assert digests["wheels/a.whl"].startswith("ba7816bf")
    assert [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["a.whl"]
    assert stat.S_IMODE((tmp_path / "out/wheels/a.whl").stat().st_mode) == 0o644
    with pytest.raises(FileExistsError):
        extract(package, ["wheels/a.whl"], tmp_path / "out")


def test_a_package_that_changed_after_the_check_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(raw_zip(good(Raw(b"w.bin", b"one"))))
    package = read_package(path, RULES)
    path.write_bytes(raw_zip(good(Raw(b"w.bin", b"two"))))
    with pytest.raises(PackageError, match="checksum"):
        write_tar(package, tmp_path / "code.tar")
