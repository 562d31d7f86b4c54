"""predict.py and what lies at the root: judged by reading, each fault with its file, line and cure."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import PackageError, PlatformFault
from shared.package import Package, Rules, inspector, read_package
from shared.settings import Limits
from tests.conftest import make_zip
from tests.zips import GOOD

Read = Callable[..., Package]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Judge a package of these files; predict.py and an empty requirements.txt unless given."""

    def read(predict: str | bytes = GOOD, **files: str | bytes) -> Package:
        path = tmp_path / "package.zip"
        path.write_bytes(make_zip({"predict.py": predict, "requirements.txt": "", **files}))
        return read_package(path, Rules(limits=Limits()))

    return read


def fails(read: Read, code: str, says: str, predict: str | bytes = GOOD, **files: str | bytes) -> None:
    with pytest.raises(PackageError) as caught:
        read(predict, **files)
    assert caught.value.code == code, caught.value.message
    assert says in caught.value.message
    assert len(caught.value.message) < 700


# -- where the files are ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"my/predict.py": GOOD, "my/requirements.txt": ""}, "found at my/predict.py"),
        ({"a/b/predict.py": GOOD, "c/predict.py": GOOD}, "found at c/predict.py (and in 1 more"),
        ({"my/predict.py": GOOD}, "cd my && python -m zipfile -c ../model.zip"),
        ({"Predict.py": GOOD}, "but Predict.py; rename it"),
        ({"predict.py.txt": GOOD}, "but predict.py.txt; rename it"),
        ({"predict.ipynb": "{}"}, "but predict.ipynb"),
        ({"main.py": GOOD, "util.py": ""}, "only main.py, util.py"),
        ({"README.md": "x"}, "add one that defines run(input_path, output_dir)"),
        ({"__MACOSX/predict.py": GOOD}, "holds no files"),
        ({}, "holds no files"),
        ({"predict.py/x.txt": ""}, "is a folder"),
    ],
)
def test_predict_missing(tmp_path: Path, files: dict[str, str], says: str) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(make_zip(dict(files)))
    with pytest.raises(PackageError) as caught:
        read_package(path, Rules(limits=Limits()))
    assert caught.value.code == "PREDICT_MISSING"
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "one a line"),
        ({"Requirements.txt": ""}, "but Requirements.txt; rename it"),
        ({"requirement.txt": ""}, "but requirement.txt; rename it"),
        ({"requirements.txt.txt": ""}, "rename it"),
        ({"sub/requirements.txt": ""}, "found at sub/requirements.txt"),
        ({"pyproject.toml": ""}, "only pyproject.toml"),
        ({"environment.yml": ""}, "only environment.yml"),
        ({"requirements.txt/x": ""}, "is a folder"),
    ],
)
def test_requirements_missing(tmp_path: Path, files: dict[str, str], says: str) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(make_zip({"predict.py": GOOD, **files}))
    with pytest.raises(PackageError) as caught:
        read_package(path, Rules(limits=Limits()))
    assert caught.value.code == "REQUIREMENTS_MISSING"
    assert says in caught.value.message


# -- is it Python -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def run(:\n", "predict.py:1: invalid syntax: def run(:"),
        ("import os\n\ndef run(a, b):\nreturn 1\n", "predict.py:4: expected an indented block"),
        ("def run(a, b):\n\tx\n        y\n", "predict.py:3:"),
        ("x = (1,\n", "predict.py:1: '(' was never closed"),
        ("print 'hi'\n" + GOOD, "predict.py:1: Missing parentheses"),
        ("return 5\n" + GOOD, "predict.py:1: 'return' outside function"),
        ("x = 1\nawait x\n" + GOOD, "predict.py:2: 'await' outside function"),
        ("x = '" + "y" * 5000 + "\n", "predict.py:1: unterminated string literal"),
        ("x = 1\n\0\n", "predict.py:2: the source contains a NUL"),
        (b"x = 1\ny = '\xe4'\n", "predict.py:2: byte 0xe4 is no utf-8"),
        (b"# coding: nonsense\n", "predict.py:1: unknown encoding: nonsense"),
        (b"# coding: rot13\n", "predict.py:1:"),
        (b"# coding: hex\n", "predict.py:1:"),
        (GOOD.encode("utf-16"), "predict.py:1: the file is UTF-16"),
        ("-" * 500_000 + "1", "nested too deeply"),
        ("x = a" + ".b" * 400_000, "nested too deeply"),
        ("(" * 5000, "too many nested parentheses"),
        ("".join(f"x{n} = {n * n}\n" for n in range(60_000)), "the limit is 1 MiB"),
    ],
)
def test_source_invalid(read: Read, source: str | bytes, says: str) -> None:
    fails(read, "SOURCE_INVALID", says, source)


@pytest.mark.parametrize(
    "source",
    [
        GOOD,
        "# -*- coding: latin-1 -*-\nx = '\xe4'\n".encode("latin-1") + GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n"),
        "x = '\\d'  # an escape that Python only warns of\n" + GOOD,
        "class 猫: pass\n" + GOOD,
    ],
)
def test_sources_that_are_fine(read: Read, source: str | bytes) -> None:
    assert read(source).source.accepts_params is False


def test_syntax_of_a_newer_python_is_left_to_the_smoke_test(read: Read) -> None:
    package = read("type Box = list[int]\n" + GOOD, **{"clinai.toml": 'python = "3.14"'})
    assert (package.source.accepts_params, package.python) == (None, "3.14")
    assert any("smoke test" in warning for warning in package.warnings)
    fails(read, "SOURCE_INVALID", "predict.py:1", "def run(:\n", **{"clinai.toml": 'python = "3.9"'})


# -- can run() be called ------------------------------------------------------------------------------------------

REFUSED = [
    (
        "x = 1\n\ndef run(path):\n    return {}\n",
        "predict.py:3: run() takes (path); expected run(input_path, output_dir)",
    ),
    ("def run(): pass", "run() takes ()"),
    ("def run(a, *, out): pass", "keyword-only out"),
    ("def run(a, b, *, c): pass", "keyword-only c"),
    ("def run(a, b, c, d): pass", "run() takes (a, b, c, d)"),
    ("def run(output_dir, input_path): pass", "in this order"),
    ("def run(model, input_path, output_dir): pass", "in this order"),
    ("def run(self, input_path, output_dir): pass", "remove self"),
    ("async def run(input_path, output_dir): pass", "predict.py:1: run() is async"),
    ("def run(input_path, output_dir):\n    yield 1", "is a generator"),
    ("def run(input_path, output_dir):\n    x = yield from f()", "is a generator"),
    ("run = lambda path: {}", "run() takes (path)"),
    ("run = 5", "run is a constant"),
    ("class run:\n    pass", "run is a class"),
    ("import os as run", "run is a module"),
    ("def go(path): pass\nrun = go", "predict.py:1: run() takes (path)"),
    ("from .model import run", "write `from model import run`"),
    ("from model import run", "model.py:2: run() takes (path)"),
    ("from model import go as run", "model.py defines no go"),
    ("from deep.inner import go as run", "deep/inner.py:1: run() takes (path)"),
    ("from deep import run", "model.py:2: run() takes (path)"),
    ("def predict(a, b): pass", "a function predict; rename it"),
    ("def Run(a, b): pass", "a function Run; rename it"),
    ("def run_model(a, b): pass", "a function run_model; rename it"),
    ("class Model:\n    def run(self, a, b): pass", "the class Model has a method"),
    ("def outer():\n    def run(a, b): pass", "no function run at the top level"),
    ("if __name__ == '__main__':\n    def run(a, b): pass", "the one in line 2 is under"),
    ("", "no function run at the top level"),
    ("try:\n    import fast\nexcept ImportError:\n    def run(path): pass", "predict.py:4: run() takes (path)"),
    ("def setup(model): pass\n" + GOOD, "predict.py:1: setup() takes (model)"),
    ("async def setup(): pass\n" + GOOD, "predict.py:1: setup() is async"),
    ("def setup():\n    yield\n" + GOOD, "setup() is a generator"),
]
FILES = {
    "model.py": "import os\ndef run(path): pass\n",
    "deep/__init__.py": "from model import run\n",
    "deep/inner.py": "def go(path): pass\n",
}


@pytest.mark.parametrize(("source", "says"), REFUSED)
def test_signature_invalid(read: Read, source: str, says: str) -> None:
    fails(read, "SIGNATURE_INVALID", says, source, **FILES)


@pytest.mark.parametrize(
    ("source", "accepts_params"),
    [
        ("def run(input_path: str, output_dir: str) -> dict: return {}", False),
        ("def run(a, b): return {}", False),
        ("def run(input_path, output_dir, params): return {}", True),
        ("def run(input_path, output_dir, params=None): return {}", True),
        ("def run(input_path, output_dir, options): return {}", True),
        ("def run(input_path, output_dir, threshold=0.5): return {}", False),
        ("def run(input_path, output_dir, /, params): return {}", True),
        ("def run(*args): return {}", False),
        ("def run(input_path, *rest, **more): return {}", False),
        ("def run(input_path, output_dir, *, debug=False): return {}", False),
        ("run = lambda input_path, output_dir: {}", False),
        ("def go(a, b, params): return {}\nrun = go", True),
        ("@torch.no_grad()\ndef run(input_path, output_dir): return {}", False),
        ("@inject\ndef run(model, input_path, output_dir): return {}", None),
        ("@wraps\ndef run(a): return {}", None),
        ("run = functools.partial(go, 1)", None),
        ("from elsewhere import run", None),
        ("from elsewhere import *", None),
        ("from good.api import serve as run", True),
        ("if True:\n    def run(a, b): return {}", False),
        ("try:\n    from fast import run\nexcept ImportError:\n    def run(a, b): return {}", False),
        ("def run(a, b):\n    def inner():\n        yield 1\n    return {'n': list(inner())}", False),
        ("def run(a, b):\n    return {'n': [x for x in (y for y in range(3))]}", False),
    ],
)
def test_signatures_that_are_fine(read: Read, source: str, accepts_params: bool | None) -> None:
    package = read(source, **{"good/api.py": "def serve(a, b, params): return {}"})
    assert package.source.accepts_params is accepts_params
    judged = accepts_params is not None
    assert any("smoke test" in warning for warning in package.warnings) is not judged


@pytest.mark.parametrize(
    ("source", "has_setup"),
    [
        ("def setup(): pass", True),
        ("def setup(device='cpu'): pass", True),
        ("from model import setup", True),
        ("import setup", False),
        ("setup = {'device': 'cpu'}", False),
        ("", False),
    ],
)
def test_setup_is_found(read: Read, source: str, has_setup: bool) -> None:
    assert read(f"{source}\n{GOOD}", **{"model.py": "def setup(): pass"}).source.has_setup is has_setup


def test_helpers_only_warn(read: Read) -> None:
    package = read(**{"broken.py": "def f(:\n", "random.py": "x = 1", "json/__init__.py": "", "data/types.py": "x = 1"})
    text = " | ".join(package.warnings)
    assert "broken.py:1: invalid syntax" in text
    assert "random hides Python's own module" in text
    assert "json hides" in text
    assert "types hides" not in text


def test_a_helper_that_exhausts_the_parser_does_not_hide_predict(read: Read) -> None:
    package = read(**{"deep.py": "x = a" + ".b" * 100_000, "wide.py": "x = [" + "a," * 100_000 + "]"})
    assert package.source.accepts_params is False


@pytest.fixture
def inspect_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Put another inspector in the place of ours."""

    def replace(source: str) -> None:
        (tmp_path / "other.py").write_text(source)
        monkeypatch.setattr("shared.package.source._INSPECTOR", str(tmp_path / "other.py"))

    return replace


INSPECTOR = Path(inspector.__file__).read_text()


def test_sources_larger_than_a_pipe_reach_a_child_that_is_late(read: Read, inspect_with: Callable[[str], None]) -> None:
    inspect_with(INSPECTOR.replace("def main() -> None:", "import time\ntime.sleep(0.7)\ndef main() -> None:"))
    text = "".join(f"# {n * n}\n" for n in range(20_000))
    assert read(GOOD + text, **{"helper.py": text}).source.accepts_params is False


def test_a_source_that_takes_all_cpu_time_is_refused(read: Read, inspect_with: Callable[[str], None]) -> None:
    endless = INSPECTOR.replace("CPU_S = 20", "CPU_S = 1").replace("    tree = ast.parse", "    while True: ast.parse")
    assert endless.count("while True: ast.parse") == 1
    inspect_with(endless.replace("while True: ast.parse(text, path)", "while True: tree = ast.parse(text, path)"))
    fails(read, "SOURCE_INVALID", "nested too deeply, or too large")


def test_an_inspector_that_fails_is_not_the_packages_fault(read: Read, inspect_with: Callable[[str], None]) -> None:
    inspect_with("raise OSError")
    with pytest.raises(PlatformFault, match="ended with status 1"):
        read()


def test_keyword_params_are_warned_of(read: Read) -> None:
    package = read("def run(input_path, output_dir, *, params=None): return {}")
    assert any("third positional" in warning for warning in package.warnings)


def test_nothing_of_a_package_is_run(read: Read, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\n"
    read(
        trap + GOOD, **{"sitecustomize.py": trap, "helper.py": trap, "setup.py": trap, "ast.py": trap, "json.py": trap}
    )
    assert not (tmp_path / "sprung").exists()
