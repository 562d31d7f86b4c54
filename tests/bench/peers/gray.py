"""The model that bench compares with: the colours of a picture to grays, with Pillow. The same code on every side."""

from pathlib import Path
from typing import Any

from PIL import Image


def to_gray(source: Any, target: Any) -> tuple[int, int]:
    """Read a picture from a file or a path, write it as a gray PNG, return its size."""
    with Image.open(source) as picture:
        gray = picture.convert("L")
    gray.save(target, "PNG")
    return gray.size


def run(input_path: str, output_dir: str) -> dict[str, Any]:
    """What a ClinAI package has to have; this file is its predict.py."""
    width, height = to_gray(input_path, Path(output_dir) / "gray.png")
    return {"width": width, "height": height}
