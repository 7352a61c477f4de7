"""Pictures as terminals take them: kitty's graphics protocol, and sixels. Only what is written, nothing is asked.

https://sw.kovidgoyal.net/kitty/graphics-protocol/ · https://vt100.net/docs/vt3xx-gp/chapter14.html
"""

import base64
import io
import re

import numpy as np
from PIL import Image

CHUNK = 4096
"""Characters of a picture that kitty takes at once."""
COLOURS = 256
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)


def kitty(image: Image.Image, columns: int, rows: int) -> str:
    """The picture on so many cells from the cursor on, which stays where it is; the terminal does not answer."""
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.standard_b64encode(file.getvalue()).decode("ascii")
    pieces = [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)]
    told = [f"a=T,f=100,q=2,C=1,c={columns},r={rows},", *[""] * (len(pieces) - 1)]
    more = [1] * (len(pieces) - 1) + [0]
    return "".join(f"\x1b_G{head}m={m};{piece}\x1b\\" for head, m, piece in zip(told, more, pieces, strict=True))


def sixel(image: Image.Image) -> str:
    """The picture in at most 256 colours, one pixel to one of the terminal's, from the cursor on."""
    few = image.convert("RGB").quantize(COLOURS)
    palette = np.asarray(few.getpalette(), dtype=np.int64).reshape(-1, 3)
    pixels = np.asarray(few)
    used = np.unique(pixels)
    registers = "".join("#{};2;{};{};{}".format(c, *((palette[c] * 100 + 127) // 255)) for c in used)
    bands = (pixels[top : top + 6] for top in range(0, len(pixels), 6))
    body = "-".join("$".join(_colour(band, c) for c in np.unique(band)) for band in bands)
    return f'\x1bP0;1;0q"1;1;{image.width};{image.height}{registers}{body}\x1b\\'


def _colour(band: np.ndarray, colour: int) -> str:
    """Where one colour is in six rows of pixels: a letter a column, runs of the same one counted."""
    bits = (band == colour).astype(np.uint8) << np.arange(len(band), dtype=np.uint8)[:, None]
    row = (63 + bits.sum(axis=0, dtype=np.uint8)).tobytes().rstrip(b"?")
    return f"#{colour}" + _RUN.sub(lambda run: b"!%d%b" % (len(run[0]), run[1]), row).decode("ascii")
