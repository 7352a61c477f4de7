"""Draws attribution maps: a heat map over the image, frames around the most important parts, and a legend.

The colours are those of *plasma* (Smith and van der Walt, CC0), which is perceptually uniform and suitable for
colour-blind people. All maps of an image share one scale; parts without effect are not coloured.
"""

import textwrap
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from doubleread.core.attribution import Attribution, AttributionMap, Region
from doubleread.core.types import Matrix

TILE = 340
"""Longer side of each picture on a sheet, in pixels."""
_PLASMA = (
    (13, 8, 135), (76, 2, 161), (126, 3, 168), (170, 35, 149), (204, 71, 120), (230, 108, 92), (248, 149, 64),
    (253, 197, 39), (240, 249, 33),
)  # fmt: skip
_OPAQUE, _SOLID_FROM = 0.8, 0.5
"""Largest opacity of the heat map, and the share of the scale from which it applies."""
FRAMES = "Solid frame: covering this part lowers the probability most; dashed: covering it raises the probability most."
_FINE, _DASHES, _BAR = 96, 9, 160
_GAP, _LINE, _SIZE, _WRAP = 16, 19, 15, 44
_INK, _SOFT, _PAPER = "#1c1e21", "#5d646c", "#ffffff"


def colours(values: Matrix) -> NDArray[np.uint8]:
    """Returns RGBA colours of values between 0 and 1, shape ``(..., 4)``, from transparent to the scale's end."""
    shares = np.clip(values, 0, 1)
    stops = np.linspace(0, 1, len(_PLASMA))
    channels = [np.interp(shares, stops, [colour[i] for colour in _PLASMA]) for i in range(3)]
    alpha = 255 * _OPAQUE * np.minimum(1, shares / _SOLID_FROM)
    return np.stack([*channels, alpha], axis=-1).round().astype(np.uint8)


def heat(one: AttributionMap, scale: float) -> Image.Image:
    """Returns a map as RGBA, to be stretched over the image; fully transparent if the map is flat."""
    shares = np.maximum(0, one.cells / scale) * (not one.flat)
    smooth = Image.fromarray(shares.astype(np.float32)).resize((_FINE, _FINE), Image.Resampling.BILINEAR)
    return Image.fromarray(colours(np.asarray(smooth, float)))


def overlay(image: Image.Image, one: AttributionMap, scale: float) -> Image.Image:
    """Returns the image with a map over it and the frames described in ``FRAMES``."""
    layer = heat(one, scale).resize(image.size, Image.Resampling.BILINEAR)
    made = Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
    for region, dashed in ((one.adds, True), (one.takes, False)):
        if region is not None:
            _frame(made, region, dashed=dashed)
    return made


def _frame(onto: Image.Image, region: Region, *, dashed: bool) -> None:
    """Draws a frame inside the region, white on black so that it is visible on any image."""
    draw, thick = ImageDraw.Draw(onto), max(1, round(max(onto.size) / 170))
    left, right = (round(share * onto.width) for share in (region.left, region.right))
    top, bottom = (round(share * onto.height) for share in (region.top, region.bottom))
    draw.rectangle((left, top, right - 1, bottom - 1), outline="black", width=3 * thick)
    x0, y0, x1, y1 = left + thick, top + thick, right - 1 - thick, bottom - 1 - thick
    dashes = _DASHES if dashed else 1
    for (xa, ya), (xb, yb) in pairwise(((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))):
        for i in range(0, dashes, 2):
            ends = [(xa + (xb - xa) * j / dashes, ya + (yb - ya) * j / dashes) for j in (i, i + 1)]
            draw.line([round(share) for end in ends for share in end], fill="white", width=thick)


def scale_words(scale: float) -> tuple[str, str]:
    """Returns labels for both ends of the colour scale."""
    return "no effect", f"covering it lowers the probability by {100 * scale:.0f} points"


def sheet(image: Image.Image, found: Attribution, name: str) -> Image.Image:
    """Returns one picture with the image, each agent's map and its summary, and the legend."""
    small = ImageOps.contain(image, (TILE, TILE))
    tiles = [(small, f"{name}\nParts of the image that speak for {found.label}")]
    tiles += [(overlay(small, one, found.scale), one.line) for one in found.maps]
    columns = min(3, len(tiles))
    texts = [_wrapped(text) for _, text in tiles]
    high = small.height + _LINE * max(map(len, texts)) + 2 * _GAP
    rows = -(-len(tiles) // columns)
    width = columns * (TILE + _GAP) + _GAP
    below = [FRAMES, *(f"{agent}: {why}" for agent, why in found.without.items())]
    footer = [line for text in below for line in _wrapped(text, columns * _WRAP)]
    made = Image.new("RGB", (width, rows * high + 3 * _GAP + _LINE * (1 + len(footer))), _PAPER)
    for i, ((tile, _), lines) in enumerate(zip(tiles, texts, strict=True)):
        x, y = _GAP + (i % columns) * (TILE + _GAP), _GAP + (i // columns) * high
        made.paste(tile, (x, y))
        _write(made, (x, y + tile.height + 6), lines, _INK)
    y = rows * high + _GAP
    _legend(made, (_GAP, y), found.scale)
    _write(made, (_GAP, y + _LINE + 6), footer, _SOFT)
    return made


def _legend(onto: Image.Image, at: tuple[int, int], scale: float) -> None:
    """Draws the colour scale with its labels."""
    (x, y), (least, most) = at, scale_words(scale)
    bar = Image.fromarray(np.tile(colours(np.linspace(0, 1, _BAR)), (_LINE - 5, 1, 1)))
    from_ = x + round(ImageFont.load_default(_SIZE).getlength(least)) + 10
    onto.paste(bar, (from_, y + 2), bar)
    _write(onto, at, [least], _SOFT)
    _write(onto, (from_ + _BAR + 10, y), [most], _SOFT)


def _write(onto: Image.Image, at: tuple[int, int], lines: Sequence[str], ink: str) -> None:
    draw, font = ImageDraw.Draw(onto), ImageFont.load_default(_SIZE)
    for i, line in enumerate(lines):
        draw.text((at[0], at[1] + i * _LINE), line, fill=ink, font=font)


def _wrapped(text: str, letters: int = _WRAP) -> list[str]:
    return [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]
