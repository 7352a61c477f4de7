"""Pictures in terminals: what is written decodes to the picture, and asking the terminal neither hangs nor garbles."""

import base64
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from kit import photo
from PIL import Image
from rich.console import Console
from rich.table import Table

from doubleread.cli.terminal_pictures import preview_of
from doubleread.render.preview import CellSize, Preview, kitty, sixel

APC = re.compile(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\")
DCS = re.compile(r'\x1bP0;1;0q"1;1;(\d+);(\d+)([^\x1b]*)\x1b\\')


def unkitty(text):
    """The picture in kitty's escapes, and what the first of them says."""
    parts = APC.findall(text)
    said = [dict(pair.split("=") for pair in head.split(",")) for head, _ in parts]
    assert [one["m"] for one in said] == ["1"] * (len(parts) - 1) + ["0"]
    assert all(len(data) <= 4096 for _, data in parts)
    return Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in parts)))), said[0]


def unsixel(text):
    """The picture in sixels, by the rules of the VT330's manual; pixels that nobody drew are magenta."""
    width, height, body = DCS.search(text).groups()
    pixels = np.full((int(height) + 6, int(width), 3), (255, 0, 255), dtype=np.uint8)
    colours, colour, x, y = {}, None, 0, 0
    for token in re.findall(r"#\d+(?:;\d+){4}|#\d+|!\d+.|.", body):
        if token.startswith("#"):
            number, *rest = (int(n) for n in token[1:].split(";"))
            if rest:
                assert rest[0] == 2
                colours[number] = [round(p * 255 / 100) for p in rest[1:]]
            else:
                colour = colours[number]
        elif token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        else:
            n, bits = (int(token[1:-1]) if token[0] == "!" else 1), ord(token[-1]) - 63
            assert 0 <= bits < 64
            for row in range(6):
                if bits >> row & 1:
                    pixels[y + row, x : x + n] = colour
            x += n
            assert x <= int(width)
    assert (pixels[int(height) :] == (255, 0, 255)).all()
    return pixels[: int(height)]


def noise(width, height, colours=None, seed=0):
    rng = np.random.default_rng(seed)
    if colours is None:
        return Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8))
    palette = rng.integers(0, 101, (colours, 3)) * 255 / 100
    return Image.fromarray(np.round(palette)[rng.integers(0, colours, (height, width))].astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (40, 40), (260, 255)])
def test_kitty_takes_the_very_pixels_in_pieces(width, height):
    image = noise(width, height)
    found, said = unkitty(kitty(image, 13, 7))
    assert (np.asarray(found) == np.asarray(image)).all()
    assert said == {"a": "T", "f": "100", "q": "2", "C": "1", "c": "13", "r": "7", "m": said["m"]}


@pytest.mark.parametrize(("width", "height", "colours"), [(1, 1, 1), (7, 5, 2), (64, 36, 200), (31, 43, 17)])
def test_sixels_of_few_colours_are_the_very_pixels(width, height, colours):
    image = noise(width, height, colours)
    assert np.abs(unsixel(sixel(image)).astype(int) - np.asarray(image)).max() <= 1


def test_sixels_of_a_photograph_are_near_it():
    ramp = np.add.outer(np.linspace(0, 120, 60), np.linspace(0, 120, 90))
    image = Image.fromarray(np.stack([ramp, 255 - ramp, ramp / 2 + 60], axis=-1).astype(np.uint8))
    found = unsixel(sixel(image)).astype(int)
    assert np.abs(found - np.asarray(image)).mean() < 4


# -- on the screen ------------------------------------------------------------------------------------------------


def printed(what, width=60):
    out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    out.print(what)
    return out.file.getvalue()


def beside(left, right):
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=12)
    grid.add_column()
    grid.add_row(left, right)
    return grid


DRAWING = re.compile(r"\x1b7\x1b\[(\d+)A(?:\x1b_G.*?\x1b\\|\x1bP.*?\x1b\\)+\x1b8", re.DOTALL)


@pytest.mark.parametrize("how", ["kitty", "sixel"])
@pytest.mark.parametrize(("width", "height"), [(64, 64), (200, 50), (50, 200), (40, 30)])
def test_a_picture_lies_on_blank_cells_beside_other_things(tmp_path, how, width, height):
    file = tmp_path / "one.png"
    noise(width, height).save(file)
    preview = Preview(how, CellSize(9, 19))
    text = printed(beside("label", preview.file(file, None, 12)))
    (drawing,) = DRAWING.finditer(text)
    up, lines = int(drawing[1]), text[: drawing.start()].split("\n")
    left = len(lines[-1])
    assert left == 13  # where the second column begins
    picture = unkitty(drawing[0])[0] if how == "kitty" else Image.fromarray(unsixel(drawing[0]))
    wide, high = -(-picture.width // 9), -(-picture.height // 19)
    assert max(wide / 12, high / 6) == pytest.approx(1, abs=0.2)
    assert high == up
    assert picture.width / width == pytest.approx(picture.height / height, rel=0.2) or how == "kitty"
    under = lines[-1 - up : -1]
    assert len(under) == up
    assert all(not line[left : left + wide].strip() for line in under)
    assert text.count("label") == 1


def test_kitty_pads_to_whole_cells_and_distorts_nothing(tmp_path):
    file = tmp_path / "one.png"
    noise(200, 50).save(file)
    picture, said = unkitty(printed(Preview("kitty", CellSize(9, 19)).file(file, None, 12)))
    assert picture.size == (int(said["c"]) * 9, int(said["r"]) * 19)
    assert Image.fromarray(np.asarray(picture)[..., 3]).getbbox() == (0, 0, 108, 27)


def test_what_cannot_be_shown_is_nothing(tmp_path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    for how in ("kitty", "sixel", "blocks", "none"):
        assert Preview(how).file(tmp_path / "no.png", None, 12) is None
        assert Preview(how).file(None, None, 12) is None
    assert Preview("none").file(photo(tmp_path / "leaf.png", 0, 1), None, 12) is None


def test_nothing_is_written_into_a_pipe(tmp_path):
    out = Console(file=io.StringIO(), width=60)
    for wanted in ("auto", "kitty", "sixel", "blocks"):
        assert preview_of(out, wanted) == Preview("none")


# -- asking the terminal ------------------------------------------------------------------------------------------

ASK = """
import sys
from rich.console import Console
from doubleread.cli.terminal_pictures import preview_of
found = preview_of(Console(), sys.argv[1])
print("FOUND", found.how, found.cell.width, found.cell.height, flush=True)
print("LINE", repr(sys.stdin.readline()), "END", flush=True)
sys.stdin.readline()  # what is written as the last thing is lost when it ends
"""
KITTY_YES, CELL, SIXEL, PLAIN = "\x1b_Gi=31;OK\x1b\\", "\x1b[6;18;8t", "\x1b[?62;4;22c", "\x1b[?62;22c"
ASKS_KITTY, ASKS = "\x1b_Gi=31", "\x1b[c"


def at_terminal(answer, wanted="auto", pixels=(0, 0), typed="", **environment):
    """What is found at a terminal that answers so once it is asked: the words found, and all that was written."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, *pixels))
    given = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "KONSOLE_VERSION", "TERM_PROGRAM")}
    given |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
    if typed:
        os.write(ours, typed.encode())
    with subprocess.Popen(
        [sys.executable, "-c", ASK, wanted], stdin=theirs, stdout=theirs, stderr=theirs, env=given,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    ) as process:  # fmt: skip
        os.close(theirs)
        heard, answered, entered = "", False, False
        while "END" not in heard and select.select([ours], [], [], 60)[0]:
            heard += os.read(ours, 4096).decode()
            if not answered and ASKS in heard:
                os.write(ours, answer.encode())
                answered = True
            if not entered and re.search(r"FOUND.*\n", heard):
                os.write(ours, b"why?\n")
                entered = True
        os.write(ours, b"bye\n")
        process.wait(60)
        os.close(ours)
    assert process.returncode == 0, heard
    how, width, height = re.search(r"FOUND (\w+) (\d+) (\d+)", heard).groups()
    line = re.search(r"LINE (.*) END", heard)[1]
    return (how, int(width), int(height)), heard, line


@pytest.mark.parametrize(
    ("answer", "environment", "found"),
    [
        (KITTY_YES + CELL + PLAIN, {"TERM": "xterm-kitty"}, ("kitty", 8, 18)),
        (KITTY_YES + CELL + SIXEL, {"TERM_PROGRAM": "WezTerm"}, ("kitty", 8, 18)),
        (CELL + SIXEL, {"TERM": "xterm-kitty"}, ("sixel", 8, 18)),
        (CELL + SIXEL, {}, ("sixel", 8, 18)),
        (CELL + PLAIN, {}, ("blocks", 10, 20)),
        (SIXEL, {}, ("blocks", 10, 20)),  # how large a letter is, is not known
        (SIXEL, {"pixels": (880, 480)}, ("sixel", 11, 20)),
    ],
)
def test_the_best_that_the_terminal_says_it_can_is_taken(answer, environment, found):
    how, heard, line = at_terminal(answer, **environment)
    assert how == found
    assert line == repr("why?\n")  # no part of the answer is left to be typed
    assert (ASKS_KITTY in heard) == ("TERM" in environment or "TERM_PROGRAM" in environment)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"TMUX": "/tmp/tmux,1,0"}, "blocks"),
        ({"TERM": "screen-256color"}, "blocks"),
        ({"TERM": "dumb"}, "none"),
        ({"NO_COLOR": "1"}, "none"),
        ({"TERM": "xterm-mono", "COLORTERM": ""}, "none"),
    ],
)
def test_who_is_not_to_be_asked_is_not(environment, found):
    (how, *_), heard, line = at_terminal(KITTY_YES + CELL + SIXEL, **environment)
    assert how == found
    assert "\x1b" not in heard
    assert line == repr("why?\n")


def test_a_terminal_that_never_answers_is_given_up():
    (how, *_), _, line = at_terminal("")
    assert how == "blocks"
    assert line == repr("why?\n")


def test_what_was_typed_ahead_stays_typed():
    _, heard, line = at_terminal(CELL + SIXEL, typed="first\n")
    assert "\x1b" not in heard
    assert line == repr("first\n")


@pytest.mark.parametrize("wanted", ["kitty", "sixel", "blocks", "none"])
def test_what_is_asked_for_by_name_is_done(wanted):
    (how, *size), heard, _ = at_terminal(CELL + PLAIN, wanted, TERM="xterm-256color")
    assert how == wanted
    assert ASKS_KITTY not in heard
    if wanted in ("kitty", "sixel"):
        assert size == [8, 18]
