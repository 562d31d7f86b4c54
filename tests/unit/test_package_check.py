"""A package as a whole: what is kept of it, the command for authors, the examples, and the builder's view of it."""

import asyncio
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.builder.build import Build
from services.builder.check import check_package as check_for_build
from services.builder.fetch import FetchedPackage
from shared.codes import BuildCode, JobCode, PackageCode
from shared.errors import PackageError, WorkError
from shared.package import Package, Rules, Stopped, check_package, read_package, tar_pieces
from shared.package.config import read_config
from shared.package.source import read_source
from shared.settings import MIB, Engine, Limits
from tests.conftest import make_zip
from tests.platforms import ROOT
from tests.zips import GOOD, Raw, good, raw_zip

EXAMPLES = {"example-model": False, "docs/examples/faces": True, "docs/examples/segments": True}


def judge(tmp_path: Path, files: dict[str, str | bytes]) -> Package:
    path = tmp_path / "package.zip"
    path.write_bytes(make_zip({"predict.py": GOOD, "requirements.txt": "", **files}))
    return read_package(path, Rules(limits=Limits(), python="3.12"))


def folder_files(name: str) -> dict[str, str | bytes]:
    folder = ROOT / name
    files = [p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


# -- what is kept -------------------------------------------------------------------------------------------------


def test_what_the_page_shows_of_a_package(tmp_path: Path) -> None:
    toml = 'timeout_s = 5\nmemory = "256MiB"\nisolation = "container"\n[parameters]\nk = 3\n'
    source = "def setup(): pass\ndef run(input_path, output_dir, params): return {}\n"
    package = judge(
        tmp_path, {"predict.py": source, "clinai.toml": toml, "README.md": "# Card\n", "w/a.bin": bytes(100)}
    )
    about = package.about
    assert about == json.loads(json.dumps(about))
    assert {key: about[key] for key in ("python", "timeout_s", "memory_bytes", "isolation", "readme")} == {
        "python": "3.12", "timeout_s": 5.0, "memory_bytes": 256 * MIB, "isolation": "container", "readme": "# Card\n",
    }  # fmt: skip
    assert (about["entries"], about["accepts_params"], about["has_setup"]) == (5, True, True)
    assert about["unpacked_bytes"] == len(source) + len(toml) + 7 + 100
    assert about["parameters"] == {"k": {"type": "int", "default": 3}}
    assert package.default_params == {"k": 3}


def test_parameters_that_run_cannot_take_are_warned_of(tmp_path: Path) -> None:
    assert any("run() takes none" in w for w in judge(tmp_path, {"clinai.toml": "[parameters]\nk = 3\n"}).warnings)


def test_a_card_is_text_that_the_database_can_hold(tmp_path: Path) -> None:
    assert judge(tmp_path, {"Readme.MD": b"a\0b\xff"}).readme == "a\ufffdb\ufffd"
    assert judge(tmp_path, {"docs/README.md": "no"}).readme is None
    long = judge(tmp_path, {"README.md": "".join(f"{n} " for n in range(40_000))})
    assert long.readme is not None
    assert len(long.readme) == 64 * 1024
    assert any("README.md is shown up to 64 KiB" in warning for warning in long.warnings)


def test_python_of_the_toml_wins(tmp_path: Path) -> None:
    assert judge(tmp_path, {"clinai.toml": 'python = "3.13"'}).python == "3.13"


def test_a_toml_of_unreasonable_size(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"clinai\.toml: \d+ bytes, and the limit is 65536") as caught:
        judge(tmp_path, {"clinai.toml": "".join(f"# {n}\n" for n in range(20_000))})
    assert caught.value.code == "CONFIG_INVALID"


def test_requirements_of_unreasonable_size(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"requirements\.txt: the file has 1\..* MiB") as caught:
        judge(tmp_path, {"requirements.txt": "".join(f"# {n * n}\n" for n in range(110_000))})
    assert caught.value.code == "REQUIREMENT_FORBIDDEN"


def test_warnings_have_an_end(tmp_path: Path) -> None:
    urls = "".join(f"git+https://github.com/a/b{n}\n" for n in range(500))
    assert len(judge(tmp_path, {"requirements.txt": urls}).warnings) <= 40


# -- the examples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_pass_without_a_warning(tmp_path: Path, name: str) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(make_zip(folder_files(name)))
    package = check_package(path, Rules(limits=Limits()))
    assert package.warnings == ()
    assert package.source.accepts_params is EXAMPLES[name]
    assert package.readme
    assert bool(package.config.parameters) is EXAMPLES[name]


# -- the command --------------------------------------------------------------------------------------------------


def said(*arguments: str | Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "shared.package", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def test_the_command_tells_what_clinai_would(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(make_zip({"predict.py": "def run(path): pass", "requirements.txt": ""}))
    assert said(path) == (
        1,
        "SIGNATURE_INVALID: predict.py:1: run() takes (path); expected run(input_path, output_dir)\n",
    )
    status, text = said(ROOT / "example-model", "--output", tmp_path / "made.zip")
    assert (status, text.split(":")[0]) == (0, "OK")
    assert said(tmp_path / "made.zip")[0] == 0
    assert json.loads(said(tmp_path / "made.zip", "--json")[1])["python"] == "3.11"
    assert said(tmp_path / "nowhere.zip")[0] == 2


# -- the builder's view -------------------------------------------------------------------------------------------


def a_build(folder: Path, data: bytes) -> tuple[Build, FetchedPackage]:
    """What check_package reads of a build: its folder, and the limits and engine of its parts."""
    (folder / "package.zip").write_bytes(data)
    build = SimpleNamespace(folder=folder, parts=SimpleNamespace(limits=Limits(), engine=Engine()))
    fetched = FetchedPackage(path=folder / "package.zip", key="key", sha256="sha", size=len(data), etag="etag")
    return cast(Build, build), fetched


async def test_the_builder_gets_code_and_requirement_files(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "predict.py": GOOD,
        "requirements.txt": "-r more.txt\n./wheels/a-1-py3-none-any.whl\n-e ./lib\n",
        "more.txt": b"\xff\xfe" + "six==1.17.0\r\n".encode("utf-16-le"),
        "wheels/a-1-py3-none-any.whl": b"abc",
        "lib/pyproject.toml": "[project]\n",
        "weights.bin": bytes(range(256)) * 100,
    }
    checked = await check_for_build(*a_build(tmp_path, make_zip(files)))
    wanted = checked.requirements
    assert wanted.text == "--requirement more.txt\n./wheels/a-1-py3-none-any.whl\n./lib\n"
    assert set(wanted.files) == files.keys() - {"predict.py", "weights.bin"}
    assert set(wanted.installed) == {"wheels/a-1-py3-none-any.whl", "lib/pyproject.toml"}
    assert (wanted.folder / "more.txt").read_text() == "six==1.17.0\n"
    assert (wanted.folder / "wheels/a-1-py3-none-any.whl").read_bytes() == b"abc"
    assert wanted.needs_sources
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_pieces(checked.content)))) as tar:
        assert {member.name for member in tar if member.isreg()} == files.keys()


async def test_the_builder_hears_of_a_fault(tmp_path: Path) -> None:
    with pytest.raises(WorkError) as caught:
        await check_for_build(*a_build(tmp_path, b"no zip"))
    assert caught.value.code == "ARCHIVE_CORRUPT"


async def test_a_canceled_check_leaves_no_thread_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build, fetched = a_build(tmp_path, raw_zip(good(Raw(b"w.bin", bytes(range(256)) * 40_000))))
    begun, ended = asyncio.Event(), []
    loop, real = asyncio.get_running_loop(), check_package

    def slow(path: Path, rules: Rules, *, keep_on: Any) -> Package:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                real(path, rules, keep_on=keep_on)
        except Stopped:
            ended.append("stopped")
            raise

    monkeypatch.setattr("services.builder.check.check", slow)
    task = asyncio.create_task(check_for_build(build, fetched))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["stopped"]


# -- the document -------------------------------------------------------------------------------------------------


def test_the_document_names_every_code_and_its_own_toml_is_right() -> None:
    text = (ROOT / "docs/packages.md").read_text()
    for codes in (PackageCode, BuildCode, JobCode):
        section = text.split(
            {PackageCode: "### The package", BuildCode: "### The build", JobCode: "### The job"}[codes]
        )[1]
        assert {f"| {code} |" for code in codes} <= {line[: line.find("|", 2) + 1] for line in section.splitlines()}
    blocks = [block.split("```")[0] for block in text.split("```toml\n")[1:]]
    assert len(blocks) == 2
    config = read_config(blocks[0].encode(), Rules(limits=Limits()))
    assert set(config.parameters) == {"min_score", "size", "mode"}
    assert read_config(blocks[1].replace("…", "0" * 64).encode(), Rules(limits=Limits())).weights[0].path
    source = text.split("```python\n")[1].split("```")[0]
    assert read_source(source.encode(), {}, python="3.11", keep_on=lambda: None).accepts_params is False
