"""The lock is read strictly, and names the dependency image by everything that goes in."""

from typing import Any

import pytest

from services.builder.lock import Lock, dependency_key, read_lock, read_pylock
from shared.errors import BuildError

HASHES = ["--hash=sha256:" + digit * 64 for digit in "ba"]
PIN = f"numpy==2.4.6 \\\n    {HASHES[0]} \\\n    {HASHES[1]}\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_pins_with_hashes_install_as_wheels() -> None:
    lock = read_lock(f"# a comment\n{PIN}", wheels_only=True)
    assert (lock.hashed, lock.wheels_only, lock.empty) == (True, True, False)
    # the order in which the index lists its files changes nothing
    assert lock.text == f"numpy==2.4.6 \\\n    {HASHES[1]} \\\n    {HASHES[0]}\n"


def test_nothing_to_install() -> None:
    assert read_lock("", wheels_only=True).empty
    assert read_lock("# nothing\n\n", wheels_only=True).empty


@pytest.mark.parametrize(
    "line", [f"a @ git+https://example.com/a@{COMMIT}", f"a @ git+https://example.com/a@{COMMIT}#subdirectory=x"]
)
def test_a_commit_needs_no_hash(line: str) -> None:
    lock = read_lock(PIN + line + "\n", wheels_only=True)
    assert (lock.hashed, lock.wheels_only) == (False, False)


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://evil.example/simple\n",
        "a @ git+https://example.com/a@main\n",
        "numpy==1\n",
        f"numpy==1 --hash=md5:{'a' * 32}\n",
        f"numpy==1 {HASHES[0]} --index-url=https://evil.example\n",
        "-r other.txt\n",
    ],
)
def test_what_no_resolver_writes_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match=r"resolver|hash"):
        read_lock(text, wheels_only=True)


def key(lock: Lock | None = None, **changes: Any) -> str:
    """The name for usual values but for what is changed."""
    values: dict[str, Any] = {
        "base_id": "sha256:1",
        "python": "3.11",
        "torch_backend": "cpu",
        "options": [],
        "files": {},
    }
    return dependency_key(lock or read_lock(PIN, wheels_only=True), **(values | changes))


def test_equal_bytes_give_equal_names() -> None:
    swapped = f"numpy==2.4.6 {HASHES[1]} {HASHES[0]}\n"
    assert key() == key(read_lock(swapped, wheels_only=True))
    assert len(key()) == 40


def test_everything_that_goes_in_changes_the_name() -> None:
    names = [
        key(),
        key(read_lock(PIN, wheels_only=False)),
        key(read_lock(PIN.replace("2.4.6", "2.4.5"), wheels_only=True)),
        key(base_id="sha256:2"),
        key(python="3.13"),
        key(torch_backend="cu128"),
        key(options=["--no-binary numpy"]),
        key(files={"wheels/a.whl": "1" * 64}),
        key(files={"wheels/a.whl": "2" * 64}),
        key(files={"wheels/b.whl": "1" * 64}),
        key(options=["a", "b"]),
        key(options=["ab"]),
    ]
    assert len(set(names)) == len(names)


def pylock(*wheels: str, name: str = "numpy", url: str = "https://files.example/") -> str:
    """What uv writes for one requirement with wheels of these names."""
    listed = ", ".join(
        f'{{ url = "{url}{wheel}", size = {n}, hashes = {{ sha256 = "{n:064x}" }} }}' for n, wheel in enumerate(wheels)
    )
    return f'lock-version = "1.0"\n[[packages]]\nname = "{name}"\nversion = "2.4.6"\nwheels = [{listed}]\n'


@pytest.mark.parametrize(
    "wheels",
    [
        [
            "a-2.4.6-cp37-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            "a-2.4.6-cp37-abi3-manylinux_2_28_x86_64.whl",
        ],
        ["a-2.4.6-py3-none-any.whl", "a-2.4.6-cp311-cp311-manylinux_2_5_x86_64.whl"],
        ["a-2.4.6-cp37-abi3-manylinux_2_28_x86_64.whl", "a-2.4.6-cp311-cp311-manylinux_2_17_x86_64.whl"],
        ["a-2.4.6-py3-none-any.whl", "a-2.4.6-1-py3-none-any.whl"],
    ],
)
def test_a_lock_names_the_closest_wheel(wheels: list[str]) -> None:
    for order in (wheels, wheels[::-1]):
        lock = read_pylock(pylock(*order))
        assert lock is not None
        [wheel] = lock.wheels
        assert wheel.filename == wheels[1]
        assert wheel.url == f"https://files.example/{wheels[1]}"
        assert lock.text == f"numpy==2.4.6 \\\n    --hash=sha256:{wheel.sha256}\n"
        assert (lock.hashed, lock.wheels_only) == (True, True)


def test_a_file_name_is_read_as_the_index_means_it() -> None:
    lock = read_pylock(pylock("torch-2.5.1%2Bcpu-cp311-cp311-linux_x86_64.whl"))
    assert lock is not None
    assert lock.wheels[0].filename == "torch-2.5.1+cpu-cp311-cp311-linux_x86_64.whl"


@pytest.mark.parametrize(
    "text",
    [
        "no = [toml",
        pylock(),
        pylock("a-2.4.6-py3-none-any.whl", url="file:///etc/"),
        pylock("a-2.4.6-py3-none-any.whl", url="/srv/wheels/"),
        pylock("a-2.4.6-py3-none-any.whl", name="a b"),
        pylock("a-2.4.6-py3-none-any.whl").replace("sha256", "md5"),
        pylock("a-2.4.6-py3-none-any.whl").replace("0" * 64, "0" * 63),
        pylock("..%2F..%2Fetc%2Fpasswd"),
        pylock("a.whl"),
        pylock("a-2.4.6-py3-none-any.whl") + pylock("a-2.4.6-py3-none-any.whl", name="b").split("\n", 1)[1],
        '[[packages]]\nname = "six"\nversion = "1"\narchive = { url = "https://x/six-1-py3-none-any.whl" }\n',
    ],
)
def test_what_is_not_wheels_of_an_index_is_left_to_the_other_format(text: str) -> None:
    assert read_pylock(text) is None


def test_no_packages_are_an_empty_lock() -> None:
    lock = read_pylock('lock-version = "1.0"\n')
    assert lock is not None
    assert lock.empty
