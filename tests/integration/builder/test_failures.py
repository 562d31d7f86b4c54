"""Requirements that cannot be met, and limits: each its code, its reason in few lines, and the line to mend."""

import hashlib

import aiodocker
import pytest

from shared.settings import MIB
from tests.conftest import make_zip
from tests.integration.builder.conftest import MODEL, Builder, containers, model_images, package
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


def wheel(name: str, version: str, source: str) -> bytes:
    """A pure wheel with one module."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    return make_zip(dict(files))


@pytest.mark.parametrize(
    ("requirements", "line", "says"),
    [
        ("numpy\nPillow==0.0.0.99\n", "requirements.txt:2: Pillow==0.0.0.99: ", "no version of pillow==0.0.0.99"),
        ("# none\nno-such-package-of-anybody-42\n", "requirements.txt:2: no-such-package-of-anybody-42: ", "not found"),
        ("six==1.16.0\npython-dateutil==2.9.0\nsix==1.17.0\n", "requirements.txt:1: ", "six==1.16.0 and six==1.17.0"),
    ],
)
async def test_unresolvable(builder: Builder, requirements: str, line: str, says: str) -> None:
    async with builder.working():
        row = await builder.build(package(requirements))
    assert (row["status"], row["error_code"]) == ("FAILED", "RESOLUTION_FAILED")
    assert row["error_message"].startswith(line), row["error_message"]
    assert says in row["error_message"], row["error_message"]
    assert row["error_message"].count("\n") <= 6
    assert row["error_message"] in await builder.log(row)
    assert row["docker_image"] is None


async def test_source_that_does_not_compile(builder: Builder) -> None:
    data = make_zip(
        {
            "predict.py": MODEL,
            "requirements.txt": "./broken\n",
            "broken/setup.py": (
                "from setuptools import Extension, setup\n"
                "setup(name='broken', version='1', ext_modules=[Extension('broken', ['broken.c'])])\n"
            ),
            "broken/broken.c": "int broken( { this is no C }\n",
        }
    )
    async with builder.working():
        row = await builder.build(data)
    assert row["error_code"] == "INSTALL_FAILED", row["error_message"]
    assert row["error_message"].startswith("requirements.txt:1: ./broken: ")
    assert "broken.c" in await builder.log(row)


async def test_source_with_an_extension_compiles(builder: Builder) -> None:
    data = make_zip(
        {
            "predict.py": "import seven\n\ndef run(input_path, output_dir):\n    return {'value': seven.value()}\n",
            "requirements.txt": "./seven\n",
            "seven/setup.py": (
                "from setuptools import Extension, setup\n"
                "setup(name='seven', version='1', ext_modules=[Extension('seven', ['seven.c'])])\n"
            ),
            "seven/seven.c": (
                "#include <Python.h>\n"
                "static PyObject *value(PyObject *s, PyObject *a) { return PyLong_FromLong(7); }\n"
                'static PyMethodDef methods[] = {{"value", value, METH_NOARGS, ""}, {0}};\n'
                'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "seven", "", -1, methods};\n'
                "PyMODINIT_FUNC PyInit_seven(void) { return PyModule_Create(&module); }\n"
            ),
        }
    )
    async with builder.working():
        row = await builder.build(data)
    assert row["status"] == "READY", await builder.log(row)


async def test_wheel_in_the_package_names_the_dependency_image_by_its_bytes(builder: Builder) -> None:
    model = "import own\n\ndef run(input_path, output_dir):\n    print('VALUE', own.VALUE)\n    return {'v': 1}\n"
    rows = []
    async with builder.working():
        for value in (1, 2):
            files = {
                "predict.py": model,
                "requirements.txt": "./wheels/own-1.0-py3-none-any.whl\n",
                "wheels/own-1.0-py3-none-any.whl": wheel("own", "1.0", f"VALUE = {value}\n"),
            }
            rows.append(await builder.build(make_zip(files)))
    for value, row in zip((1, 2), rows, strict=True):
        log = await builder.log(row)
        assert row["status"] == "READY", log
        assert f"VALUE {value}" in log.splitlines()
    images = {row["package_info"]["dependency_image"] for row in rows}
    assert len(images) == 2


@pytest.mark.parametrize(
    ("source", "inner"),
    [
        ("def run(input_path, output_dir):\n    raise KeyError('nope')\n", "MODEL_ERROR"),
        ("import os, signal\n\ndef run(i, o):\n    os.kill(os.getpid(), signal.SIGSEGV)\n", "CRASHED"),
        ("def run(input_path, output_dir):\n    return {}\n", "NO_OUTPUT"),
    ],
)
async def test_smoke_test_names_the_inner_code(
    builder: Builder, docker: aiodocker.Docker, source: str, inner: str
) -> None:
    async with builder.working():
        row = await builder.build(package(source=source))
    assert row["error_code"] == "SMOKE_TEST_FAILED"
    assert row["error_message"].startswith(f"{inner}: ")
    assert await model_images(docker, row["id"]) == []


async def test_image_over_its_limit(builder: Builder, docker: aiodocker.Docker) -> None:
    base = (await docker.images.inspect("clinai/base:3.11"))["Size"]
    async with builder.working(builder.handler(image_bytes=base + MIB)):
        row = await builder.build(package("six==1.17.0\n", data__bin=hashlib.shake_128(b"").digest(2 * MIB)))
    assert row["error_code"] == "BUILD_TOO_LARGE"
    assert await model_images(docker, row["id"]) == []


async def test_bad_package_keeps_its_log(builder: Builder, docker: aiodocker.Docker, parts: TestPlatform) -> None:
    async with builder.working():
        row = await builder.build(b"this is no ZIP")
        nested = await builder.build(make_zip({"my/predict.py": MODEL, "my/requirements.txt": ""}))
    assert (row["status"], row["error_code"]) == ("FAILED", "ARCHIVE_CORRUPT")
    assert "FAILED after" in await builder.log(row)
    assert nested["error_code"] == "PREDICT_MISSING"
    assert await containers(docker, parts) == []


async def test_upload_replaced_after_build_was_called(builder: Builder) -> None:
    id = await builder.version(package())
    row = await builder.row(id)
    await builder.parts.storage.put(row["upload_key"], package(source="# other\n" + MODEL))
    async with builder.working():
        row = await builder.ended(id)
    assert row["error_code"] == "CONTENT_CHANGED"
