"""Regions of similar colour by the graph cut of Felzenszwalb and Huttenlocher (2004), from scikit-image."""

from pathlib import Path

import numpy as np
import regions
from PIL import Image, ImageOps
from skimage import color, segmentation

LONG_SIDE = 800  # larger pictures are segmented at this size; outlines come back in pixels of the input


def run(input_path: str, output_dir: str, params: dict) -> dict:
    """Cut the picture into regions, return the outlines of the largest, write what it looks like."""
    picture = read(input_path)
    width, height = picture.size
    picture.thumbnail((LONG_SIDE, LONG_SIDE))
    small = np.asarray(picture, dtype=np.float32) / 255
    labels = segmentation.felzenszwalb(
        small,
        scale=float(params.get("scale", 250)),
        sigma=0.8,
        min_size=max(20, picture.width * picture.height // 500),
        channel_axis=-1,
    )
    found = regions.largest(labels, small, count=int(params.get("regions", 12)))
    mean = color.label2rgb(labels, small, kind="avg", bg_label=-1)
    drawn = segmentation.mark_boundaries(mean, labels, color=(1, 1, 1))
    out = Path(output_dir)
    Image.fromarray((drawn * 255).clip(0, 255).astype(np.uint8)).save(out / "segments.png")
    Image.fromarray(labels.astype(np.uint16)).save(out / "labels.png")
    count = int(labels.max()) + 1
    print(f"{count} region{'' if count == 1 else 's'} in {width}x{height}")
    across, down = width / picture.width, height / picture.height
    return {
        "masks": [[[round(x * across, 1), round(y * down, 1)] for x, y in region.outline] for region in found],
        "labels": [region.name for region in found],
        "areas": [round(region.share, 4) for region in found],
        "count": count,
    }


def read(path: str) -> Image.Image:
    """Return the picture upright and in RGB, whatever it was."""
    with Image.open(path) as stored:
        picture = ImageOps.exif_transpose(stored)
        if picture.mode.startswith(("I", "F")):  # more than 8 bits a pixel: stretched to 0 to 255, not cut off
            values = np.asarray(picture, dtype=np.float32)
            span = float(values.max() - values.min()) or 1.0
            return Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8)).convert("RGB")
        return picture.convert("RGB")
