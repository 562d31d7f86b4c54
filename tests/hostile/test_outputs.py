"""Outputs: what is taken, what is refused by name, and that nothing of it can mislead the host."""

import hashlib

import pytest

from shared.settings import MIB
from tests.hostile.conftest import Run

pytestmark = pytest.mark.hostile

REFUSED = {
    "link": ("os.symlink('/etc/passwd', o + '/link')", "OUTPUT_TYPE_FORBIDDEN", ["'link' is a symbolic link"]),
    "link to a folder": ("os.symlink('/proc', o + '/all')", "OUTPUT_TYPE_FORBIDDEN", ["'all' is a symbolic link"]),
    "pipe": ("os.mkfifo(o + '/pipe')", "OUTPUT_TYPE_FORBIDDEN", ["'pipe' is a named pipe"]),
    "socket": (
        "import socket; socket.socket(socket.AF_UNIX).bind(o + '/s')",
        "OUTPUT_TYPE_FORBIDDEN",
        ["'s' is a socket"],
    ),
    "not utf-8": ("open(os.fsencode(o) + b'/a\\xff', 'w')", "OUTPUT_NAME_INVALID", ["a\\udcff", "UTF-8"]),
    "newline": ("open(o + '/a\\nb', 'w')", "OUTPUT_NAME_INVALID", ["a\\nb", "control"]),
    "c1 control": ("open(o + '/a\\x9bb', 'w')", "OUTPUT_NAME_INVALID", ["control"]),
    "backslash": ("open(o + '/a\\\\b', 'w')", "OUTPUT_NAME_INVALID", ["backslash"]),
    "deep": ("os.makedirs(o + '/d' * 17)", "OUTPUT_NAME_INVALID", ["deeper than 16"]),
    "very deep": (
        "os.chdir(o)\n    for _ in range(150): os.mkdir('d'); os.chdir('d')",
        "OUTPUT_NAME_INVALID",
        ["deeper than 16"],
    ),
    "long": (
        "os.makedirs(o + ('/' + 'n' * 250) * 4)",
        "OUTPUT_NAME_INVALID",
        ["longer than 900 bytes"],
    ),
    "many": ("[open(f'{o}/{n}', 'w').close() for n in range(21)]", "OUTPUT_LIMIT", ["more than 20"]),
    "large": (
        "[open(f'{o}/{n}', 'wb').write(bytes(1 << 20)) for n in range(4)]; open(o + '/x', 'w').write('x')",
        "OUTPUT_LIMIT",
        [str(4 * MIB), str(4 * MIB + 1)],
    ),
    "sparse": (
        "[open(f'{o}/{n}', 'wb').truncate(1 << 20) for n in range(6)]",
        "OUTPUT_LIMIT",
        [str(4 * MIB)],
    ),
}


@pytest.mark.parametrize(("do", "end", "says"), REFUSED.values(), ids=REFUSED)
async def test_refused_output_is_named(run: Run, do: str, end: str, says: list[str]) -> None:
    ran = await run(f"import os\ndef run(i, o):\n    {do}\n    return {{'a': 1}}")
    ran.ended(end, *says)
    assert ran.outcome.outputs == []


async def test_outputs_are_taken_whatever_their_modes(run: Run) -> None:
    code = """
    import os
    def run(i, o):
        os.makedirs(o + "/shut/inner")
        files = {"a": b"", "shut/b": b"b" * 70000, "shut/inner/naïve 名.txt": b"c", ".hidden": b"h"}
        for name, data in files.items():
            with open(f"{o}/{name}", "wb") as file:
                file.write(data)
            os.chmod(f"{o}/{name}", 0)
        os.link(o + "/shut/b", o + "/twice")
        os.mkdir(o + "/empty", 0)
        for folder in ("/shut/inner", "/shut", ""):
            os.chmod(o + folder, 0)
        return {}
    """
    ran = (await run(code)).ended(None)
    many = b"b" * 70000
    assert ran.files == {"a": b"", "shut/b": many, "twice": many, "shut/inner/naïve 名.txt": b"c", ".hidden": b"h"}
    for output in ran.outcome.outputs:
        assert output.sha256 == hashlib.sha256(ran.files[output.name]).hexdigest()
        assert output.size == len(ran.files[output.name])


async def test_file_that_a_daemon_keeps_writing_is_taken_as_it_was(run: Run) -> None:
    code = """
    import os, time
    def run(i, o):
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    with open(o + "/growing", "ab") as file:
                        file.write(b"x")
                    os.write(write, b".")
            os._exit(0)
        os.read(read, 1)
        return {}
    """
    ran = (await run(code)).ended(None)
    assert set(ran.files["growing"]) == {ord("x")}


async def test_limit_of_files_can_be_reached(run: Run) -> None:
    code = """
    def run(i, o):
        for n in range(20):
            with open(f"{o}/{n}", "wb") as file:
                file.write(bytes((4 << 20) // 20))
        return {}
    """
    assert len((await run(code)).ended(None).outcome.outputs) == 20


async def test_large_input_and_outputs_flow_in_flat_memory(run: Run) -> None:
    """64 MiB each way; this process may not grow by as much as half of one of them."""
    import psutil

    size = 64 * MIB
    code = """
    import hashlib, shutil
    def run(i, o):
        for n in range(2):
            shutil.copyfile(i, f"{o}/{n}")
        with open(i, "rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    """
    data = bytes(range(256)) * (size // 256)
    before = psutil.Process().memory_info().rss
    ran = await run(code, data=data, input_bytes=size, output_bytes=3 * size, timeout_s=20.0)
    grown = psutil.Process().memory_info().rss - before
    ran.ended(None)
    digest = hashlib.sha256(data).hexdigest()
    assert ran.outcome.result == {"sha256": digest}
    assert [output.sha256 for output in ran.outcome.outputs] == [digest, digest]
    assert grown < size / 2
