"""Every example of the repository from its folder to a result, as docs/packages.md promises to who starts from one."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.client import Client
from tests.conftest import make_zip
from tests.platforms import ROOT

pytestmark = pytest.mark.e2e

SAMPLE = ROOT / "example-model" / "sample.jpg"
FACE = (224, 120)
"""A point between the eyes and the mouth of the one face in the sample, pixels."""
BUILD_S = 300.0
"""scikit-image and OpenCV bring 200 MB along."""


def package(folder: Path) -> bytes:
    """The folder as a ZIP, as `zip -r ../model.zip .` makes it, without sample pictures."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    return make_zip({str(p.relative_to(folder)): p.read_bytes() for p in files if p.suffix != ".jpg"})


async def built(client: Client, folder: str) -> dict[str, Any]:
    """The version made of an example."""
    version_id = await client.upload(package(ROOT / folder))
    await client.post(f"/api/models/versions/{version_id}/build")
    version = await client.version_end(version_id, BUILD_S)
    assert version["status"] == "READY", (version["error_message"], version["build_logs"])
    return version


async def ran(
    client: Client, version: dict[str, Any], params: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Image.Image]]:
    """Result and output pictures of a job on the sample."""
    job = await client.run(version["id"], SAMPLE.read_bytes(), params)
    assert job["status"] == "SUCCEEDED", job
    outputs = await client.outputs(job["id"])
    return job["result"], {name: Image.open(io.BytesIO(content)) for name, content in outputs.items()}


async def test_grayscale(client: Client) -> None:
    version = await built(client, "example-model")
    result, pictures = await ran(client, version)
    assert version["readme"].startswith("# ")
    assert (result["width"], result["height"], result["mode"]) == (512, 512, "RGB")
    assert {name: picture.mode for name, picture in pictures.items()} == {"gray.png": "L"}


async def test_faces(client: Client) -> None:
    version = await built(client, "docs/examples/faces")
    assert version["package_info"]["has_setup"]
    assert version["package_info"]["parameters"]["min_score"]["max"] == 1.0

    result, pictures = await ran(client, version)
    (x1, y1, x2, y2), *_ = result["boxes"]
    assert x1 < FACE[0] < x2
    assert y1 < FACE[1] < y2
    assert result["count"] == len(result["boxes"]) == len(result["scores"]) == len(result["labels"])
    assert pictures["faces.png"].size == (512, 512)

    none, _ = await ran(client, version, {"min_score": 1.0, "min_neighbors": 20})
    assert none == {"boxes": [], "scores": [], "labels": [], "count": 0}


async def test_segments(client: Client) -> None:
    version = await built(client, "docs/examples/segments")
    result, pictures = await ran(client, version, {"regions": 5})
    assert len(result["masks"]) == len(result["labels"]) == len(result["areas"]) == 5
    assert all(0 <= value <= 512 for outline in result["masks"] for point in outline for value in point)
    assert result["areas"] == sorted(result["areas"], reverse=True)
    assert pictures["segments.png"].size == pictures["labels.png"].size == (512, 512)
    assert pictures["labels.png"].getextrema()[1] == result["count"] - 1
