"""Colours to grays: the smallest model there is, and a pattern for your own."""

from pathlib import Path

from PIL import Image, ImageOps, ImageStat

WIDE = ("I", "I;16", "I;16B", "I;16L", "F")  # more than 8 bits a pixel


def run(input_path: str, output_dir: str) -> dict:
    """Read the picture, write gray.png into output_dir, return what there is to say about it."""
    with Image.open(input_path) as picture:
        upright = ImageOps.exif_transpose(picture)
        gray = to_gray(upright)
    gray.save(Path(output_dir) / "gray.png")
    mean = ImageStat.Stat(gray).mean[0]
    print(f"{upright.mode} {upright.width}x{upright.height}, mean brightness {mean:.1f} of 255")
    return {"width": gray.width, "height": gray.height, "mode": upright.mode, "mean_brightness": round(mean, 2)}


def to_gray(picture: Image.Image) -> Image.Image:
    """Return the picture in grays, with its transparency if it has one."""
    if picture.mode in WIDE:
        # plain conversion would cut everything above 255 off
        values = picture.convert("F")
        low, high = values.getextrema()
        scale = 255 / (high - low) if high > low else 0
        return values.point(lambda value: value * scale - low * scale).convert("L")
    if picture.has_transparency_data:
        return picture.convert("RGBA").convert("LA")
    return picture.convert("L")
