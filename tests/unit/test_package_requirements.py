"""requirements.txt: what is let through, what is not, and that uv reads what was judged."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from shared.errors import WorkError
from shared.package import Rules
from shared.package.model import RequirementFiles
from shared.package.requirements import read_requirements
from shared.settings import Limits

HASH = "--hash=sha256:" + "0" * 64
FILES = {
    "requirements.txt": b"",
    "predict.py": b"",
    "base.txt": b"numpy==2.1.0\n",
    "sub/more.txt": b"scipy==1.14.0\n-r ../base.txt\n",
    "sub/links.txt": b"-f ../wheels\nmine\n",
    "sub/evil.txt": b"\n\n--index-url https://evil.example\n",
    "loop.txt": b"-r requirements.txt\nsix==1.0\n",
    "wheels/mine-1.0-py3-none-any.whl": b"",
    "wheels/yours-2.0.tar.gz": b"",
    "lib/pyproject.toml": b"",
    "lib/src/a.py": b"",
    "old/setup.py": b"",
    "plain/a.py": b"",
    "a b/c-1.0-py3-none-any.whl": b"",
}


def read(text: str | bytes, *hosts: str, files: dict[str, bytes] = FILES) -> RequirementFiles:
    raw = text if isinstance(text, bytes) else text.encode()
    rules = Rules(limits=Limits(), allowed_hosts=frozenset(hosts))
    return read_requirements(raw, list(files), lambda name: raw if name == "requirements.txt" else files[name], rules)


def lines(text: str | bytes, *hosts: str) -> list[str]:
    return read(text, *hosts).texts["requirements.txt"].splitlines()


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("Pillow==11.3.0", "Pillow==11.3.0"),
        ("  Pillow == 11.3.0  # for images", "Pillow==11.3.0"),
        ("Pillow", "Pillow"),
        ("numpy>=1.26,<3", "numpy<3,>=1.26"),
        ("numpy~=2.0", "numpy~=2.0"),
        ("uvicorn[standard]==0.30.0", "uvicorn[standard]==0.30.0"),
        ("torch==2.4.0+cpu", "torch==2.4.0+cpu"),
        ('tomli==2.0; python_version < "3.11"', 'tomli==2.0; python_version < "3.11"'),
        (f"six==1.16.0 {HASH}", f"six==1.16.0 {HASH}"),
        (f"six==1.16.0 \\\n    {HASH} \\\n    {HASH}", f"six==1.16.0 {HASH} {HASH}"),
        ("git+https://github.com/a/b@v1.0#egg=b", "git+https://github.com/a/b@v1.0#egg=b"),
        ("b @ git+https://github.com/a/b@v1.0", "b @ git+https://github.com/a/b@v1.0"),
        ("b[x] @ https://example.com/b-1.0-py3-none-any.whl", "b[x] @ https://example.com/b-1.0-py3-none-any.whl"),
        ("https://example.com/b-1.0-py3-none-any.whl", "https://example.com/b-1.0-py3-none-any.whl"),
        ("./wheels/mine-1.0-py3-none-any.whl", "./wheels/mine-1.0-py3-none-any.whl"),
        ("wheels/mine-1.0-py3-none-any.whl", "./wheels/mine-1.0-py3-none-any.whl"),
        ("sub/../wheels/mine-1.0-py3-none-any.whl", "./wheels/mine-1.0-py3-none-any.whl"),
        ("mine @ ./wheels/mine-1.0-py3-none-any.whl", "./wheels/mine-1.0-py3-none-any.whl"),
        (
            './wheels/mine-1.0-py3-none-any.whl[x] ; python_version > "3"',
            './wheels/mine-1.0-py3-none-any.whl[x] ; python_version > "3"',
        ),
        ("./lib", "./lib"),
        ("-e ./lib", "./lib"),
        ("--editable=./lib", "./lib"),
        ("-e git+https://github.com/a/b@v1#egg=b", "git+https://github.com/a/b@v1#egg=b"),
        ("./old/", "./old"),
        ("-r base.txt", "--requirement base.txt"),
        ("-rbase.txt", "--requirement base.txt"),
        ("--requirement=./base.txt", "--requirement base.txt"),
        ("-c base.txt", "--constraint base.txt"),
        ("--find-links ./wheels", "--find-links ./wheels"),
        ("-f wheels", "--find-links ./wheels"),
        ("--no-index", "--no-index"),
        ("--require-hashes", "--require-hashes"),
        ("--no-binary six", "--no-binary six"),
        ("--only-binary=:all:", "--only-binary :all:"),
        ("--pre", ""),
        ("--prefer-binary", ""),
        ("# -r ../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_what_is_let_through(line: str, written: str) -> None:
    assert lines(f"# first\n{line}\nsix==1.0\n")[1] == written
    assert "six==1.0" in lines(f"# first\n{line}\nsix==1.0\n")[2:]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--index-url https://evil.example/simple", "evil.example"),
        ("-i https://evil.example/simple", "--index-url would take packages"),
        ("-ihttps://evil.example/simple", "evil.example"),
        ("--extra-index-url=https://evil.example/simple", "CLINAI_ALLOWED_INDEX_HOSTS"),
        (
            "--extra-index-url https://download.pytorch.org/whl/cpu",
            "picks the build of torch that fits",
        ),
        ("--index-url", "operator"),
        ("--trusted-host evil.example", "weaken TLS"),
        ("-f http://evil.example/wheels", "--find-links would take packages"),
        ("--find-links https://evil.example/wheels", "--find-links would take packages"),
        ("-f ../wheels", "leads out of the package"),
        ("-f /srv/wheels", "leads out of the package"),
        ("-f file:///srv/wheels", "operator"),
        ("-r https://evil.example/r.txt", "lies outside the package"),
        ("-r ../r.txt", "leads out of the package"),
        ("-r /etc/passwd", "leads out of the package"),
        ("-c ../c.txt", "leads out of the package"),
        ("-e ../lib", "leads out of the package"),
        ("../lib", "leads out of the package"),
        ("/opt/x.whl", "leads out of the package"),
        ("~/x.whl", "leads out of the package"),
        ("lib/../../x.whl", "leads out of the package"),
        ("C:\\x.whl", "leads out of the package"),
        ("x @ ../x.whl", "leads out of the package"),
        ("file:///etc/passwd", "names a file of the building machine"),
        ("x @ file:///opt/x.whl", "names a file of the building machine"),
        ("x @ file:./x.whl", "names a file of the building machine"),
        ("git+ssh://git@github.com/a/b.git", "git+https"),
        ("git+file:///srv/repo", "has the scheme git+file"),
        ("git+http://github.com/a/b", "has the scheme git+http"),
        ("hg+https://example.com/a", "has the scheme hg+https"),
        ("http://example.com/x.whl", "has the scheme http"),
        ("ftp://example.com/x.whl", "has the scheme ftp"),
        ("https://127.0.0.1/x.whl", "not public"),
        ("https://10.0.0.7:8443/x.whl", "not public"),
        ("https://169.254.169.254/latest", "not public"),
        ("https://[::1]/x.whl", "not public"),
        ("https://localhost/x.whl", "not public"),
        ("https://2130706433/x.whl", "not public"),
        ("https://127.1/x.whl", "not public"),
        ("https://0x7f.0.0.1/x.whl", "not public"),
        ("https://host.docker.internal/x.whl", "not public"),
        ("git+https://git.corp/a", "not public"),
        ("https:///x.whl", "names no host"),
        ("https://a.example:99999/x.whl", "is no URL"),
        ("https://ex\u0430mple.com/x.whl", "%XX"),
        ("x @ https://a.example/$HOME", "$HOME"),
        ("x @ https://evil.example/${UV_DEFAULT_INDEX}", "no environment variables"),
        ("--index-url ${INDEX}", "no environment variables"),
        ("six==1.0 --global-option=build_ext", "--global-option"),
        ("six==1.0 --config-settings x=y", "--config-settings"),
        ("six==1.0 --hash=md5:" + "0" * 32, "none that is safe"),
        ("--no-deps", "--no-deps is not one that ClinAI takes"),
        ("--use-feature=2020-resolver", "is not one that ClinAI takes"),
        ("--cert /tmp/x.pem", "is not one that ClinAI takes"),
        ("--no-binary ../x", "takes names of packages"),
        ("--", "is no option"),
        ("six\x1b[31m==1.0", "control character"),
        ("x" * 5000, "5000 characters"),
        ("a b/c-1.0-py3-none-any.whl", "characters that pip reads otherwise"),
        ("-r sub/evil.txt", "sub/evil.txt:3: --index-url"),
    ],
)
def test_what_is_forbidden(line: str, says: str) -> None:
    with pytest.raises(WorkError) as caught:
        read(f"six==1.0\n{line}\n")
    message = caught.value.message
    assert caught.value.code == "REQUIREMENT_FORBIDDEN", message
    assert says in message
    if "sub/evil" not in line:
        assert message.startswith("requirements.txt:2: ")
    assert len(message) < 700


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Pillow=11.3.0", "has a single '='; write Pillow==11.3.0"),
        ("numpy=1.26.4=py311h64a7726_0", "has a line of conda; write numpy==1.26.4"),
        ("Pillow 11.3.0", "has no operator; write pillow==11.3.0"),
        ("pip install numpy", "is a command"),
        ("numpy>=1.0<2.0", "is no requirement"),
        ("import numpy", "is no requirement"),
        ("this is not a requirement!!", "is no requirement"),
        ("six; python_version ? '3'", "is no requirement"),
        ("six; " + "(" * 3000, "is no requirement"),
        ("-r missing.txt", "there is no such file in the ZIP"),
        ("./missing.whl", "neither such a file nor a folder"),
        ("./plain", "with a pyproject.toml"),
        ("./predict.py", "neither a wheel nor a source archive"),
        ("-f ./plain", "the ZIP has no wheels there"),
        ("@", "is no requirement"),
        (".", "neither such a file nor a folder"),
    ],
)
def test_what_could_never_be_resolved(line: str, says: str) -> None:
    with pytest.raises(WorkError) as caught:
        read(f"six==1.0\n\n{line}\n")
    assert caught.value.code == "RESOLUTION_FAILED", caught.value.message
    assert caught.value.message.startswith("requirements.txt:3: ")
    assert says in caught.value.message


def test_hosts_that_the_operator_allows() -> None:
    text = "--index-url https://pypi.corp/simple\n-f http://wheels.corp/x\nx @ https://git.corp/x.whl\n"
    found = read(text + "--trusted-host pypi.corp\n", "pypi.corp", "wheels.corp", "git.corp")
    assert found.options == ("--index-url https://pypi.corp/simple", "--find-links http://wheels.corp/x")
    with pytest.raises(WorkError, match=r"requirements\.txt:2"):
        read(text, "pypi.corp", "git.corp")


def test_included_files_are_judged_and_rewritten() -> None:
    found = read("-r sub/more.txt\n-c base.txt\n")
    assert found.texts == {
        "requirements.txt": "--requirement sub/more.txt\n--constraint base.txt\n",
        "sub/more.txt": "scipy==1.14.0\n--requirement ../base.txt\n",
        "base.txt": "numpy==2.1.0\n",
    }
    assert read("-r loop.txt\n").texts["loop.txt"] == "--requirement requirements.txt\nsix==1.0\n"


def test_chains_of_files_have_an_end() -> None:
    files = {f"r{n}.txt": f"-r r{n + 1}.txt\n".encode() for n in range(200)} | {"requirements.txt": b""}
    with pytest.raises(WorkError, match="more than 50 requirement files"):
        read("-r r0.txt\n", files=files)


def test_what_goes_into_the_image_is_named() -> None:
    found = read("./wheels/mine-1.0-py3-none-any.whl\n./lib\n-r sub/links.txt\n--no-binary six,numpy\n--no-index\n")
    assert found.installed == ("lib/pyproject.toml", "lib/src/a.py", "wheels/mine-1.0-py3-none-any.whl")
    assert found.found_in == ("wheels/mine-1.0-py3-none-any.whl", "wheels/yours-2.0.tar.gz")
    assert found.options == ("--find-links ./wheels", "--no-binary six", "--no-binary numpy", "--no-index")
    assert found.texts["sub/links.txt"] == "--find-links ../wheels\nmine\n"


@pytest.mark.parametrize(
    ("text", "needs_sources"),
    [
        ("six==1.0", False),
        ("./wheels/mine-1.0-py3-none-any.whl", False),
        ("https://example.com/x-1.0-py3-none-any.whl#sha256=" + "0" * 64, False),
        ("./wheels/yours-2.0.tar.gz", True),
        ("./lib", True),
        ("https://example.com/x-1.0.tar.gz", True),
        ("git+https://github.com/a/b@v1", True),
        ("--no-binary six", True),
    ],
)
def test_what_needs_a_build_from_source(text: str, needs_sources: bool) -> None:
    assert read(text).needs_sources is needs_sources


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, newline: str) -> None:
    assert lines(newline.join(["# café", "six==1.0", "", "numpy==2.0"]).encode(encoding)) == [
        "", "six==1.0", "", "numpy==2.0",
    ]  # fmt: skip


@pytest.mark.parametrize("raw", [b"six==1.0\n\xff\xe9\n", "six==1.0\n".encode("utf-16-le"), b"six\0"])
def test_no_text(raw: bytes) -> None:
    with pytest.raises(WorkError) as caught:
        read(raw)
    assert caught.value.code == "REQUIREMENT_FORBIDDEN"
    assert "requirements.txt:" in caught.value.message


def test_warnings_help() -> None:
    text = "Pillow\nnumpy>=2\ngit+https://github.com/a/b\n-e ./lib\nx @ https://u:p@example.com/x-1-py3-none-any.whl\n"
    said = " | ".join(read(text).warnings)
    for words in ("pinned for Pillow, numpy", "requirements.txt:3: no commit", "-e is read", "password or token"):
        assert words in said


def test_no_number_of_lines_or_characters_is_too_much_for_us() -> None:
    assert len(lines("\n".join(f"pkg{n}==1.0" for n in range(15_000)))) == 15_000
    with pytest.raises(WorkError, match="20001 lines"):
        read("\n" * 20_000)
    with pytest.raises(WorkError, match="characters"):
        read("six==1.0 " + "\\\n".join([HASH + " "] * 1000))


def test_uv_resolves_what_was_written(tmp_path: Path) -> None:
    """All that is let through and needs no network, in one file that uv reads and pins."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv, "uv is part of this project's environment"
    files = {"requirements.txt": b"", "lib/pyproject.toml": b'[project]\nname = "lib"\nversion = "3"\n'}
    files |= {
        "sub/more.txt": b"--no-index\n-f ../wheels\nyours ; python_version > '3'  # from wheels\n-c ../limits.txt\n"
    }
    files |= {"limits.txt": b"yours<2\n"}
    for name in ("mine-1.0", "yours-1.0", "yours-2.0", "ours-1.0"):
        target = tmp_path / f"wheels/{name}-py3-none-any.whl"
        target.parent.mkdir(exist_ok=True)
        _wheel(target, *name.split("-"))
        files[f"wheels/{target.name}"] = target.read_bytes()
    text = "-r sub/more.txt\n--only-binary mine,yours\n./wheels/mine-1.0-py3-none-any.whl[x] ; python_version > '3'\n"
    text += "ours @ wheels/ours-1.0-py3-none-any.whl\n-e ./lib\n--pre\n"
    found = read(text, files=files)
    for name, content in {**files, **{name: text.encode() for name, text in found.texts.items()}}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    command = [uv, "pip", "compile", "--offline", "--no-cache", "--no-header", "--no-annotate", "requirements.txt"]
    ended = subprocess.run([*command, "--python", sys.executable], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "unsupported" not in ended.stderr
    assert sorted(ended.stdout.split("\n")) == [
        "", "./lib", "./wheels/mine-1.0-py3-none-any.whl", "./wheels/ours-1.0-py3-none-any.whl", "yours==1.0",
    ]  # fmt: skip


def _wheel(path: Path, name: str, version: str) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        info = f"{name}-{version}.dist-info"
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: x\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
