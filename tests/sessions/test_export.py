"""A session as a document: everything that matters is in it, and whatever was written is only text."""

import base64
import hashlib
import re

import pytest
from kit import photo
from PIL import Image
from sessions_kit import scripted, until

from doubleread.core.errors import SessionError
from doubleread.core.evidence import Neighbour
from doubleread.sessions.engine import Sessions
from doubleread.sessions.export._session_markdown import plain
from doubleread.sessions.record import Bars, Cases, Reply, Table, Text
from doubleread.sessions.standing import Response

EVIL = "<script>alert(1)</script> [x](javascript:alert(1)) `a` | b"


async def replies(text, standing):
    stored = Neighbour(case_id="a" * 64, label="red", similarity=0.91, source=EVIL)
    blocks = (
        Text(lines=(EVIL,)),
        Table(head=("agent", "says"), rows=((EVIL, "red"),)),
        Cases(title="Similar", cases=(stored,)),
        Bars(title="If red were rare", shares={"red": 0.25, "blue": 0.75}, before={"red": 0.5}),
    )
    return Response(Reply(blocks=blocks)) if text == EVIL else await scripted(text, standing)


@pytest.fixture
async def told(panel, tmp_path):
    """Sessions with one of everything, and its id."""
    sessions = Sessions(panel, tmp_path / "sessions", replies)
    session = (await sessions.create(EVIL)).id
    file = photo(tmp_path / "one.png", 0, 91)
    await sessions.read(session, await sessions.add(session, file.read_bytes(), EVIL))
    seen = await until(sessions, session, "verdict")
    await sessions.say(session, EVIL)
    await until(sessions, session, "reply", after=seen[-1].seq)
    await sessions.say(session, "undo")
    await until(sessions, session, "failed", after=seen[-1].seq)
    yield sessions, session
    await sessions.close()


async def test_markdown(told, tmp_path):
    sessions, session = told
    document = await sessions.export(session, "markdown", tmp_path / "out")
    assert document == tmp_path / "out" / f"session-{session}.md"
    text = document.read_text()
    for part in ("| red | 25.0% | 50.0% |", "Failed: nothing was confirmed", "\n agent ", "Verdict on"):
        assert part in text
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(javascript", outside)
    (picture,) = re.findall(r"!\[.*\]\((session-[^)]*\.png)\)", text)
    assert bytes_of(document.parent / picture) == bytes_of(tmp_path / "one.png")
    case = hashlib.sha256((tmp_path / "one.png").read_bytes()).hexdigest()
    assert f"case {case}" in text
    assert "copies without metadata (place, owner, device)" in text


async def test_a_page_needs_nothing_else(told, tmp_path):
    sessions, session = told
    document = await sessions.export(session, "html", tmp_path / "out")
    text = document.read_text()
    assert "<script" not in text
    assert text.count('class="dr-card"') == 1
    assert all(source.startswith("data:image/webp;base64,") for source in re.findall(r'src="([^"]*)"', text))
    links = set(re.findall(r'href="([^"]*)"', text))
    words = {link for link in links if link.startswith("#word-")}
    assert words
    assert all(f'id="{link[1:]}"' in text for link in words)
    (link,) = links - words
    assert (document.parent / link).exists()
    assert "Failed: nothing was confirmed" in text
    assert "<td>25.0 %</td><td>50.0 %</td>" in text


def bytes_of(file):
    with Image.open(file) as image:
        return image.tobytes()


def with_owner(file):
    """A photograph that says where it was taken and whose it is."""
    exif = Image.Exif()
    exif[0x013B] = "Ann Owner"
    exif.get_ifd(0x8825)[1] = "Ann Owner"
    with Image.open(file) as image:
        image.save(file.with_suffix(".jpg"), exif=exif, comment="Ann Owner")
    return file.with_suffix(".jpg").read_bytes()


@pytest.mark.parametrize("format", ["markdown", "html"])
@pytest.mark.parametrize("metadata", [False, True])
async def test_metadata_of_pictures_stays_behind_unless_it_is_kept_on_purpose(panel, tmp_path, format, metadata):
    sessions = Sessions(panel, tmp_path / "sessions")
    session = (await sessions.create("field")).id
    await sessions.bring(session, with_owner(photo(tmp_path / "one.png", 0, 93)), "one.jpg")
    await until(sessions, session, "verdict")
    document = await sessions.export(session, format, tmp_path / "out", metadata=metadata)
    assert ("copies of the original files" in document.read_text()) == metadata
    written = b"".join(file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert (b"Ann Owner" in written) == metadata
    shown = [base64.b64decode(data) for data in re.findall(r"data:image/\w+;base64,([^\"]*)", document.read_text())]
    assert len(shown) > 0 if format == "html" else not shown
    assert not any(b"Ann Owner" in data or b"EXIF" in data for data in shown)
    await sessions.close()


async def test_a_stored_case_is_shown_only_where_its_file_holds_its_picture(panel, tmp_path):
    private, known = photo(tmp_path / "private.png", 0, 94), photo(tmp_path / "known.png", 0, 95)
    case = hashlib.sha256(known.read_bytes()).hexdigest()

    async def shown(_text, _standing):
        cases = tuple(
            Neighbour(case_id=case, label="red", similarity=0.9, source=file.name, path=file)
            for file in (private, known)
        )
        return Response(Reply(blocks=(Cases(cases=cases),)))

    sessions = Sessions(panel, tmp_path / "sessions", shown)
    session = (await sessions.create()).id
    await sessions.say(session, "show")
    await until(sessions, session, "reply")
    page = (await sessions.export(session, "html", tmp_path / "out")).read_text()
    assert page.count("data:image/webp") == 1
    await sessions.close()


async def test_maps_are_drawn_over_the_image_in_both(panel, tmp_path):
    sessions = Sessions(panel, tmp_path / "sessions")
    session = (await sessions.create("maps")).id
    await sessions.read(
        session, await sessions.add(session, photo(tmp_path / "one.png", 0, 92).read_bytes(), "one.png")
    )
    seen = await until(sessions, session, "verdict")
    await sessions.say(session, "/where texture")
    (*_, event) = await until(sessions, session, "reply", after=seen[-1].seq)
    line = event.data["blocks"][0]["found"]["maps"][0]["agent"]
    text = (await sessions.export(session, "markdown", tmp_path / "out")).read_text()
    (drawn,) = re.findall(r"\((session-\S*/where-\S*\.png)\)", text)
    with Image.open(tmp_path / "out" / drawn) as picture:
        assert picture.width > 300
    assert f"{line} gives" in text
    page = (await sessions.export(session, "html", tmp_path / "out")).read_text()
    assert page.count('class="maps" src="data:image/png;base64,') == 1
    await sessions.close()


async def test_a_folder_that_cannot_be_written_is_a_clear_error(told, tmp_path):
    sessions, session = told
    (tmp_path / "file").touch()
    with pytest.raises(SessionError, match="cannot be written"):
        await sessions.export(session, "html", tmp_path / "file")


def test_text_is_only_text():
    assert plain("# a\n* b_c") == "\\# a \\* b\\_c"
    assert plain("1. leaf-2.png (wet)") == "1\\. leaf-2.png (wet)"
    assert plain("---") == "\\---"
    assert plain("\x1b[2J\u202e") == "�\\[2J�"
