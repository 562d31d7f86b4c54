"""The pictures that everything is measured on: PNGs of 640x480 colours, the same bytes each time."""

import io
import random
from functools import cache

from PIL import Image

SIZE = (640, 480)
GRAINS = {(5, 4): 0.6, (20, 15): 0.3, (60, 45): 0.1}
"""Coarse and fine structure with the weight that each has: the finer the weaker, as in photos."""
THING = (160, 120, 400, 300)


@cache
def photo() -> bytes:
    """A picture full of structure; some 280 KB, and 80 KB in grays."""
    return _png(_structure())


@cache
def thing() -> bytes:
    """A thing before a plain ground, a sixth of the picture: little for a model to do, so that all else shows."""
    ground = Image.new("RGB", SIZE, (32, 64, 96))
    ground.paste(_structure().crop(THING), THING[:2])
    return _png(ground)


def _structure() -> Image.Image:
    source = random.Random(640480)
    whole = Image.new("RGB", SIZE)
    seen = 0.0
    for grain, weight in GRAINS.items():
        noise = Image.frombytes("RGB", grain, source.randbytes(grain[0] * grain[1] * 3))
        seen += weight
        whole = Image.blend(whole, noise.resize(SIZE, Image.Resampling.BICUBIC), weight / seen)
    return whole


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
