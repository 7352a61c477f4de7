"""Text in encodings that lack some of it."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubleread.core.terminal_text import legible, legible_json, prepare

ENCODINGS = ["ascii", "latin-1", "cp1252", "cp437", "shift-jis", "utf-8", "utf-16", None]


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "v rust - 97 % . caf\\u00e9 \\ud834\\udd1e"),
        ("cp1252", "v rust – 97 % · café \\ud834\\udd1e"),
        ("utf-8", "✓ rust – 97 % · café 𝄞"),
        (None, "✓ rust – 97 % · café 𝄞"),
    ],
)
def test_what_an_encoding_lacks_is_shown_in_ascii(encoding, shown):
    assert legible("✓ rust – 97 % · café 𝄞", encoding) == shown


@given(text=st.text(st.characters()), encoding=st.sampled_from(ENCODINGS))
def test_every_text_can_be_written_and_json_says_the_same(text, encoding):
    legible(text, encoding).encode(encoding or "utf-8")
    said = json.dumps([text], ensure_ascii=False)
    assert json.loads(legible_json(said, encoding)) == [text]


def test_ascii_tables_stay_straight():
    line = "│ ✓ rust – ░▒ · … → │"
    assert len(legible(line, "ascii").replace("\\u2591", "x").replace("\\u2592", "x")) == len(line)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stream_that_was_prepared_takes_everything(encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    prepare(stream, None, io.StringIO())
    stream.write("✓ \udcff 漢")
    stream.flush()
    assert raw.getvalue() == b"v \\udcff \\u6f22"
