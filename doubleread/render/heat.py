"""Attribution maps as pictures: heat over the image, the part that matters most in a frame, and a legend.

Colours are those of *plasma* (Smith and van der Walt, CC0): perceptually uniform, and told apart by colour-blind
people. They are on one scale for all maps of an image, and what has no effect is not coloured at all.
"""

import textwrap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from doubleread.core.attribution import NEGLIGIBLE, Attribution, AttributionMap
from doubleread.core.types import Matrix

TILE = 340
"""Pixels of the longer side of each picture on a sheet."""
_PLASMA = (
    (13, 8, 135), (76, 2, 161), (126, 3, 168), (170, 35, 149), (204, 71, 120), (230, 108, 92), (248, 149, 64),
    (253, 197, 39), (240, 249, 33),
)  # fmt: skip
_OPAQUE, _SOLID_FROM = 0.8, 0.5
"""How far the strongest heat covers the image, and from which share of the scale on it does."""
_FINE = 96
_GAP, _LINE, _SIZE, _WRAP = 16, 19, 15, 44
_INK, _SOFT, _PAPER = "#1c1e21", "#5d646c", "#ffffff"


def colours(values: Matrix) -> NDArray[np.uint8]:
    """RGBA of values between 0 and 1, shape ``(..., 4)``: from transparent to the scale's end."""
    shares = np.clip(values, 0, 1)
    stops = np.linspace(0, 1, len(_PLASMA))
    channels = [np.interp(shares, stops, [colour[i] for colour in _PLASMA]) for i in range(3)]
    alpha = 255 * _OPAQUE * np.minimum(1, shares / _SOLID_FROM)
    return np.stack([*channels, alpha], axis=-1).round().astype(np.uint8)


def heat(one: AttributionMap, scale: float) -> Image.Image:
    """A map's colours, RGBA, to be stretched over the image; transparent throughout where the map is flat."""
    cells = np.zeros_like(one.cells) if one.flat else one.cells / scale
    smooth = Image.fromarray(cells.astype(np.float32)).resize((_FINE, _FINE), Image.Resampling.BICUBIC)
    return Image.fromarray(colours(np.asarray(smooth, float)))


def overlay(image: Image.Image, one: AttributionMap, scale: float) -> Image.Image:
    """The image under a map's heat; a frame is around the part whose covering takes most, where it takes anything."""
    layer = heat(one, scale).resize(image.size, Image.Resampling.BILINEAR)
    made = Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
    if one.lowers.drop >= NEGLIGIBLE:
        region, (width, height) = one.lowers.region, image.size
        box = (region.left * width, region.top * height, region.right * width - 1, region.bottom * height - 1)
        draw, thick = ImageDraw.Draw(made), max(1, round(max(image.size) / 170))
        draw.rectangle(box, outline="black", width=2 * thick)
        draw.rectangle(
            tuple(side + d * thick / 2 for side, d in zip(box, (1, 1, -1, -1), strict=True)),
            outline="white",
            width=thick,
        )
    return made


def scale_words(scale: float) -> tuple[str, str]:
    """What the two ends of the colours mean."""
    return "no effect", f"covering it takes {100 * scale:.0f} points of probability"


def sheet(image: Image.Image, found: Attribution, name: str) -> Image.Image:
    """One picture: the image, the map of each agent that has one with what it says, and the legend."""
    small = ImageOps.contain(image, (TILE, TILE))
    tiles = [(small, f"{name}\nWhere the agents' probability of {found.label} rests")]
    tiles += [(overlay(small, one, found.scale), one.line) for one in found.maps]
    columns = min(3, len(tiles))
    texts = [_wrapped(text) for _, text in tiles]
    high = small.height + _LINE * max(map(len, texts)) + 2 * _GAP
    below = [f"{agent}: {why}" for agent, why in found.without.items()]
    rows = -(-len(tiles) // columns)
    width = columns * (TILE + _GAP) + _GAP
    footer = [line for text in below for line in _wrapped(text, columns * _WRAP)]
    made = Image.new("RGB", (width, rows * high + 3 * _GAP + _LINE * (len(footer) + 1) + _GAP), _PAPER)
    for i, ((tile, _), lines) in enumerate(zip(tiles, texts, strict=True)):
        x, y = _GAP + (i % columns) * (TILE + _GAP), _GAP + (i // columns) * high
        made.paste(tile, (x, y))
        _write(made, (x, y + tile.height + 6), lines, _INK)
    y = rows * high + _GAP
    made.paste(legend(found.scale, width - 2 * _GAP), (_GAP, y))
    _write(made, (_GAP, y + 2 * _GAP + 6), footer, _SOFT)
    return made


def legend(scale: float, width: int) -> Image.Image:
    """The colours with what their ends mean."""
    made = Image.new("RGBA", (width, 2 * _GAP), _PAPER)
    bar = Image.fromarray(np.tile(colours(np.linspace(0, 1, 160)), (14, 1, 1)))
    least, most = scale_words(scale)
    font = ImageFont.load_default(_SIZE)
    at = round(font.getlength(least)) + 10
    made.alpha_composite(bar, (at, 5))
    _write(made, (0, 3), [least], _SOFT)
    _write(made, (at + bar.width + 10, 3), [f"{most}; the frame is around the part that takes most"], _SOFT)
    return made.convert("RGB")


def _write(onto: Image.Image, at: tuple[int, int], lines: Sequence[str], ink: str) -> None:
    draw, font = ImageDraw.Draw(onto), ImageFont.load_default(_SIZE)
    for i, line in enumerate(lines):
        draw.text((at[0], at[1] + i * _LINE), line, fill=ink, font=font)


def _wrapped(text: str, letters: int = _WRAP) -> list[str]:
    return [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]
