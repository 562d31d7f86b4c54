"""The sandbox without a container: frames, sniffing, outputs and their names, lines of logs, forged results, ends."""

import hashlib
import json
import os
from pathlib import Path

import msgspec
import pytest

from shared.codes import JobCode
from shared.errors import JobError, PlatformFault
from shared.sandbox import SandboxSpec, sniff_image
from shared.sandbox.ends import Evidence, judge
from shared.sandbox.engine import container_config, harness_command
from shared.sandbox.inside.frames import Decoder, ProtocolError, encode
from shared.sandbox.inside.names import name_fault
from shared.sandbox.logs import LogLines
from shared.sandbox.outputs import BATCH_BYTES, OutputSink, refusal
from shared.sandbox.result import read_result
from shared.settings import MIB

SPEC = SandboxSpec(
    image="sha256:0",
    memory_bytes=256 * MIB,
    cpus=1.0,
    tmp_bytes=16 * MIB,
    processes=64,
    timeout_s=5.0,
    input_bytes=MIB,
    output_bytes=4 * MIB,
    output_files=10,
    result_bytes=1024,
    log_bytes=4096,
    message_bytes=1024,
    labels={"clinai.instance": "unit"},
)
SEEN = Evidence(returned=False, late=False, phase="run", load_ms=100.0, run_ms=200.0)


@pytest.mark.parametrize("step", [1, 3, 5, 1000])
def test_frames_survive_any_cutting(step: int) -> None:
    sent = [(b"A", b""), (b"B", b"x" * 300), (b"C", bytes(range(256)))]
    wire = b"".join(encode(kind, payload) for kind, payload in sent)
    decoder = Decoder(300)
    got = [frame for at in range(0, len(wire), step) for frame in decoder.feed(wire[at : at + step])]
    assert got == sent


def test_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="301 bytes"):
        list(Decoder(300).feed(encode(b"A", b"x" * 301)[:5]))


async def test_an_output_is_written_in_its_order_whatever_pieces_it_comes_in(tmp_path: Path) -> None:
    sink = OutputSink(tmp_path, SPEC)
    pieces = [os.urandom(size) for size in (BATCH_BYTES - 100, 200, 50, 10, BATCH_BYTES, 70, 1)]
    await sink.begin(json.dumps({"name": "a"}).encode())
    for piece in pieces:
        await sink.write(piece)
    await sink.begin(json.dumps({"name": "b"}).encode())
    await sink.write(b"b")
    [a, b] = await sink.finish()
    whole = b"".join(pieces)
    assert (a.size, a.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert (a.path.read_bytes(), b.path.read_bytes()) == (whole, b"b")


@pytest.mark.parametrize("name", [b"a", b"extra/mask.png", "naïve 名.txt".encode(), b".hidden", b"a" * 255])
def test_good_names(name: bytes) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *(
            b"",
            b"/",
            b"/etc/passwd",
            b"../x",
            b"a/../b",
            b"a//b",
            b"a/",
            b".",
            b"a\0",
            b"a\n",
            b"\x7f",
            b"\xff",
            b"a\\b",
        ),
        *("\u0085".encode(), b"a" * 256, b"/".join([b"d"] * 17), b"/".join([b"n" * 200] * 5)),
    ],
)
def test_bad_names(name: bytes) -> None:
    assert name_fault(name) is not None


IMAGES = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "gif": b"GIF89a",
    "webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "bmp": b"BM" + bytes(12) + (40).to_bytes(4, "little"),
    "tif": b"II*\0\x08\0\0\0",
    "avif": b"\0\0\0\x1cftypavif",
    "heic": b"\0\0\0\x18ftypheic",
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
    "ppm": b"P6\n2 2\n255\n",
    "bin": b"<svg xmlns='http://www.w3.org/2000/svg'>",
}


@pytest.mark.parametrize(("extension", "head"), IMAGES.items())
def test_images_are_told_by_their_bytes(extension: str, head: bytes) -> None:
    assert sniff_image(head + bytes(64))[0] == extension


@pytest.mark.parametrize("head", [b"", b"B", b"BM", b"P6", b"RIFF", b"BMW is a car", b"\0" * 64, b"<html>"])
def test_unknown_is_bin(head: bytes) -> None:
    assert sniff_image(head) == ("bin", "application/octet-stream")


def test_log_lines_are_bounded_whatever_the_container_sends() -> None:
    lines: list[str] = []
    log = LogLines(lines.append, 10)
    log.feed(b"one\ntw")
    log.feed(b"o\nthree and more")
    log.feed(b"\nnever")
    log.cut()
    log.finish()
    assert lines[:3] == ["one", "two", "th"]
    assert "log cut" in lines[3]
    assert len(lines) == 4
    assert log.truncated


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "RESULT_NOT_JSON"),
        (b"{", "RESULT_NOT_JSON"),
        (b"\xff", "RESULT_NOT_JSON"),
        (b'{"a": Infinity}', "RESULT_NOT_JSON"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "RESULT_TOO_LARGE"),
        (b'{"a\\u0000": 1}', "RESULT_NOT_JSON"),
        (b'["a"]', "RESULT_NOT_DICT"),
    ],
)
def test_forged_results(payload: bytes, code: str) -> None:
    with pytest.raises(JobError) as caught:
        read_result(payload, 1024)
    assert caught.value.code == code


def test_refusal_may_only_carry_its_own_codes() -> None:
    assert refusal(b'{"code": "OUTPUT_LIMIT", "message": "too much"}').code is JobCode.OUTPUT_LIMIT
    with pytest.raises(PlatformFault):
        refusal(b'{"code": "PLATFORM_ERROR", "message": ""}')


def evidence(**seen: object) -> Evidence:
    return msgspec.structs.replace(SEEN, **seen)


@pytest.mark.parametrize(
    ("seen", "code", "says"),
    [
        (evidence(returned=True, oom=1, pids=1, full=["/tmp"]), None, ""),
        (evidence(exit=-9, oom=1), "OUT_OF_MEMORY", "256 MiB"),
        (evidence(exit=-9), "CRASHED", "SIGKILL"),
        (evidence(exit=-11, pids=3), "PROCESS_LIMIT", "64"),
        (evidence(exit=137), "NO_RESULT", "exit status 137"),
        (evidence(late=True, oom=1), "OUT_OF_MEMORY", "did not finish"),
        (evidence(late=True, full=["/tmp"]), "TIMEOUT", "5 s"),
        (evidence(late=True, phase="load"), "TIMEOUT", "still loading"),
        (evidence(exit=-7, full=["/workspace/out"]), "DISK_LIMIT", "filled /workspace/out"),
        (evidence(exit=-25), "DISK_LIMIT", "disk limit"),
        (evidence(exit=0, full=["/tmp"]), "NO_RESULT", "exit status 0"),
        (evidence(exit=-33), "CRASHED", "signal 33"),
        (evidence(fault={"kind": 1}), "MODEL_ERROR", "nonsense"),
        (evidence(fault=[]), "MODEL_ERROR", "nonsense"),
        (evidence(fault={"type": "X", "text": "y", "fork": True}), "MODEL_ERROR", "X: y"),
    ],
)
def test_ends_are_told_by_evidence(seen: Evidence, code: str | None, says: str) -> None:
    got, message = judge(seen, SPEC)
    assert got == code
    assert says in message


def test_refused_fork_under_gvisor_is_told_by_the_exception() -> None:
    spec = msgspec.structs.replace(SPEC, runtime="runsc")
    code, _ = judge(evidence(fault={"type": "BlockingIOError", "text": "", "fork": True}), spec)
    assert code is JobCode.PROCESS_LIMIT


def test_container_has_no_way_out() -> None:
    config = container_config(SPEC)
    host = config["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == host["MemorySwap"] > SPEC.memory_bytes
    assert not {"Binds", "Mounts", "Devices", "Privileged"} & host.keys()
    assert config["Labels"] == {"clinai.kind": "sandbox", "clinai.instance": "unit"}


def test_harness_fits_into_arguments() -> None:
    assert max(len(argument.encode()) for argument in harness_command()) < 64 * 1024
    assert sum(len(argument.encode()) for argument in harness_command()) < 128 * 1024
