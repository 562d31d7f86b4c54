"""clinai.toml: every key, its limits, and messages that name the key."""

import pytest

from shared.errors import PackageError
from shared.package import Rules
from shared.package.config import check_weights_fit, read_config
from shared.settings import GIB, MIB, Limits

RULES = Rules(limits=Limits())
SHA = "a" * 64
WEIGHTS = f'[[weights]]\npath = "w/a.bin"\nurl = "https://example.com/a.bin"\nsha256 = "{SHA}"\n'


def test_everything_that_may_be_said() -> None:
    config = read_config(
        b"""
        python = "3.13"
        timeout_s = 120.5
        memory = "1.5GiB"
        isolation = "warm"
        [parameters]
        threshold = 0.25
        names = "cat"
        [parameters.size]
        type = "integer"
        default = 640
        min = 32
        max = 1280
        description = "Side in pixels"
        [parameters.mode]
        default = "fast"
        choices = ["fast", "exact"]
        [parameters.flip]
        type = "bool"
        default = false
        """
        + WEIGHTS.encode(),
        RULES,
    )
    assert (config.python, config.timeout_s, config.isolation) == ("3.13", 120.5, "warm")
    assert config.memory_bytes == 3 * GIB // 2
    assert config.parameters == {
        "threshold": {"type": "float", "default": 0.25},
        "names": {"type": "str", "default": "cat"},
        "size": {"type": "int", "default": 640, "min": 32, "max": 1280, "description": "Side in pixels"},
        "mode": {"type": "str", "default": "fast", "choices": ["fast", "exact"]},
        "flip": {"type": "bool", "default": False},
    }
    assert [(w.path, w.url, w.sha256) for w in config.weights] == [("w/a.bin", "https://example.com/a.bin", SHA)]


def test_nothing_need_be_said() -> None:
    config = read_config(b"", RULES)
    assert (config.python, config.timeout_s, config.memory_bytes, config.parameters) == (None, None, None, {})
    assert read_config(b"\xef\xbb\xbfpython = '3.11'\r\n", RULES).python == "3.11"


@pytest.mark.parametrize(
    ("text", "size"),
    [("268435456", 256 * MIB), ('"256MiB"', 256 * MIB), ('"256 MB"', 256 * 10**6), ('"2g"', 2 * GIB), ('"1GB"', 10**9)],
)
def test_ways_to_write_memory(text: str, size: int) -> None:
    assert read_config(f"memory = {text}".encode(), RULES).memory_bytes == size


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("python = 3.11", 'python is 3.11; write it as text, such as python = "3.11"'),
        ('python = "2.7"', "python is '2.7'; it can be one of 3.9"),
        ('python = "3.11.4"', "python is"),
        ("timeout_s = 0", "timeout_s is 0"),
        ("timeout_s = -1", "timeout_s"),
        ("timeout_s = true", "timeout_s is True"),
        ("timeout_s = nan", "timeout_s is nan"),
        ("timeout_s = inf", "timeout_s is inf"),
        ('timeout_s = "60"', "timeout_s is '60'"),
        ("timeout_s = 601", "the limit here is 600 seconds"),
        (f"timeout_s = {'9' * 400}", "the limit here is 600 seconds"),
        (f"timeout_s = 0x{'f' * 9000}", "timeout_s is a huge number"),
        ("timeout = 5", "timeout is no key that ClinAI knows; did you mean timeout_s?"),
        ("banana = 5", "known keys are python"),
        ('memory = "lots"', "memory is 'lots'"),
        ("memory = 1", "it can be 64 MiB to 8 GiB"),
        ('memory = "9GiB"', "it can be 64 MiB to 8 GiB"),
        ("memory = true", "memory is True"),
        (f"memory = 0x{'f' * 9000}", "memory is a huge number"),
        ('isolation = "none"', "isolation is 'none'; it can be one of fork, warm, container"),
        ("isolation = []", "isolation is []"),
        ("parameters = 5", "parameters must be a table"),
        ("[parameters]\n'a b' = 1", "parameters.a b is no name"),
        ("[parameters.a]\ntype = 'int'", "parameters.a has no default"),
        ("[parameters.a]\ntype = 'image'\ndefault = 1", "the type 'image'; it can be float, int, str or bool"),
        ("[parameters.a]\ntype = ['int']\ndefault = 1", "parameters.a has the type"),
        ("[parameters.a]\ndefault = 1\nstep = 1", "unknown key step"),
        ("[parameters.a]\ntype = 'int'\ndefault = 'x'", "a default of 'x', which is no int"),
        ("[parameters.a]\ntype = 'int'\ndefault = true", "which is no int"),
        ("[parameters.a]\ntype = 'float'\ndefault = nan", "which is no float"),
        ("[parameters.a]\ntype = 'float'\ndefault = 1" + "0" * 400, "exactly"),
        ("[parameters.a]\ndefault = 5\nmax = 4", "not within min and max"),
        ("[parameters.a]\ndefault = 5\nmin = 9\nmax = 4", "a min of 9 above its max of 4"),
        ("[parameters.a]\ndefault = 'x'\nmin = 4", "which has no min or max"),
        ("[parameters.a]\ndefault = 'x'\nchoices = ['y']", "not among its choices"),
        ("[parameters.a]\ndefault = 'x'\nchoices = []", "no list of 1 to 100"),
        ("[parameters.a]\ndefault = 'x'\nchoices = ['x', 1]", "a choice of 1, which is no str"),
        ('[parameters.a]\ndefault = "x\\u0000"', "NUL"),
        ("[parameters.a]\ndefault = 1\ndescription = 5", "a description that is no text"),
        ("[parameters.a]\ndefault = 1\ndescription = '" + "x" * 2000 + "'", "2000 characters"),
        ("[parameters]\na = 1979-05-27", "a default of type date"),
        ("[parameters]\n" + "\n".join(f"a{n} = 1" for n in range(65)), "65 entries, and the limit is 64"),
        ("weights = 5", "weights must be tables"),
        ('[[weights]]\npath = "a"', "weights 1 has no text under url"),
        (WEIGHTS.replace("https", "http"), "no https address"),
        (WEIGHTS.replace("https://example.com", "file://"), "no https address"),
        (WEIGHTS.replace("https://example.com", "https://"), "no https address"),
        (WEIGHTS.replace("w/a.bin", "../a.bin"), "weights 1 path '../a.bin' leads out"),
        (WEIGHTS.replace("w/a.bin", "/a.bin"), "absolute"),
        (WEIGHTS.replace(SHA, "abc"), "64 hexadecimal digits"),
        (WEIGHTS + "size = 5", "unknown key size"),
        (WEIGHTS * 33, "33 tables, and the limit is 32"),
        ("python = ", "is no valid TOML"),
        ("a = " + "[" * 5000, "clinai.toml: is n"),
        ("x" * 9000, "is no valid TOML"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(PackageError) as caught:
        read_config(text.encode(), RULES)
    assert caught.value.code == "CONFIG_INVALID"
    assert caught.value.message.startswith("clinai.toml: ")
    assert says in caught.value.message, caught.value.message
    assert len(caught.value.message) < 600


def test_not_utf8() -> None:
    with pytest.raises(PackageError, match="not UTF-8"):
        read_config(b"a = '\xff'", RULES)


@pytest.mark.parametrize("taken", ["w/a.bin", "W/A.bin", "w/a.bin/deeper", "w"])
def test_weights_must_not_fall_on_files_of_the_package(taken: str) -> None:
    with pytest.raises(PackageError, match="is in the ZIP already"):
        check_weights_fit(read_config(WEIGHTS.encode(), RULES), ["predict.py", taken])


def test_weights_beside_files_are_fine() -> None:
    check_weights_fit(read_config(WEIGHTS.encode(), RULES), ["predict.py", "w/b.bin"])
    twice = read_config((WEIGHTS * 2).encode(), RULES)
    with pytest.raises(PackageError, match="weights 2"):
        check_weights_fit(twice, [])
