"""What happens to a picture between two copies of it: re-encoding, resizing, a slight crop, more light."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageEnhance


def _reencoded(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def _resized(image: Image.Image) -> Image.Image:
    width, height = (max(8, round(side * 0.7)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _cropped(image: Image.Image) -> Image.Image:
    return image.crop((round(image.width * 0.03), round(image.height * 0.03), image.width, image.height))


def _lit(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.1)


MILD_CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = MappingProxyType(
    {"JPEG quality 60": _reencoded, "70 % size": _resized, "3 % crop": _cropped, "10 % more light": _lit}
)
"""Each takes and gives 8-bit RGB."""
