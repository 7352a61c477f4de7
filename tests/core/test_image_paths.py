"""Paths as people, spreadsheets and other systems write them: found, or told as written and as read."""

import sys
import unicodedata
from pathlib import Path

import pytest

from doubleread.core.errors import FileMissing
from doubleread.core.image_paths import locate, named

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of Windows are read as they are there")
FORMS = ("NFC", "NFD")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder, which is the user's too, with a few files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("photos/rust/1.jpg", "a b.jpg", "back\\slash.jpg", " edge .jpg", "~odd.jpg"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return tmp_path


def problem_of(written, home=None):
    with pytest.raises(FileMissing) as caught:
        locate(written, home)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["photos/rust/1.jpg", "a b.jpg", "back\\slash.jpg", " edge .jpg", "~odd.jpg", "photos"]
)
def test_a_path_is_taken_as_it_is_written_where_something_is_there(home, name):
    assert locate(name) == (Path(name), "")
    assert locate(home / name) == (home / name, "")
    assert locate(name, home) == (home / name, "")


@pytest.mark.parametrize(
    ("written", "file", "told"),
    [
        ("photos\\rust\\1.jpg", "photos/rust/1.jpg", "backslashes"),
        (".\\photos\\rust\\1.jpg", "photos/rust/1.jpg", "backslashes"),
        ("photos\\rust/1.jpg", "photos/rust/1.jpg", "backslashes"),
        ("photos/rust/1.jpg  ", "photos/rust/1.jpg", "spaces"),
        ('"a b.jpg"', "a b.jpg", "quotation marks"),
        ("“a b.jpg”", "a b.jpg", "quotation marks"),
        ("~/photos/rust/1.jpg", "photos/rust/1.jpg", ""),
        ("~\\photos\\rust\\1.jpg", "photos/rust/1.jpg", "backslashes"),
        ("file://{home}/a%20b.jpg", "a b.jpg", ""),
        ("file://localhost{home}/a%20b.jpg", "a b.jpg", ""),
        ("FILE://{home}/photos/rust/1.jpg", "photos/rust/1.jpg", ""),
    ],
)
def test_usual_slips_are_understood(home, written, file, told):
    found = locate(written.format(home=home))
    assert found.path.absolute() == home / file
    assert told in found.note


@pytest.mark.parametrize("name", ["Fäule/é.jpg", "Größe/ñ ü.jpg", "각/가.jpg", "Ångström.jpg"])
@pytest.mark.parametrize(("on_disk", "written"), [FORMS, FORMS[::-1]])
def test_accents_in_another_unicode_form_are_the_same_name(home, name, on_disk, written):
    file = home / unicodedata.normalize(on_disk, name)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"x")
    found = locate(unicodedata.normalize(written, name))
    assert found.path.read_bytes() == b"x"
    assert "another Unicode form" in found.note


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("gone.jpg", "'gone.jpg', which means {home}/gone.jpg"),
        ("photos\\rust\\2.jpg", "which means {home}/photos/rust/2.jpg"),
        ("~/gone.jpg", "which means {home}/gone.jpg"),
        ("~nobody-of-this-name/a.jpg", "there is no user 'nobody-of-this-name' here"),
        ("photos/RUST/1.JPG", "there is '{home}/photos/rust/1.jpg', whose name differs in upper and lower case"),
        ("a%20b.jpg", "there is '{home}/a b.jpg': write it without % codes"),
        ("C:\\photos\\1.jpg", "it is a path of Windows"),
        ("d:/photos/1.jpg", "it is a path of Windows"),
    ],
)
def test_a_missing_file_is_told_as_written_and_as_read_with_what_may_be_meant(home, written, told):
    assert told.format(home=home) in problem_of(written)


def test_a_path_that_is_right_from_the_current_folder_only_is_told(home):
    assert f"move the table to {home}" in problem_of("photos/rust/1.jpg", home / "photos")


@pytest.mark.parametrize("scheme", ["http", "https", "s3", "gs", "ftp", "hf", "abfss"])
def test_addresses_are_not_fetched_and_their_secrets_are_not_told(home, scheme):
    written = f"{scheme}://ann:secret@host.org/photos/1.jpg?signature=secret"
    for one in (written, f" {written}"):
        told = problem_of(one)
        assert f"{scheme}://host.org/photos/1.jpg is an address on the network" in told
        assert "secret" not in told
    assert named(written) == f"{scheme}://host.org/photos/1.jpg"


def test_other_addresses_are_told_apart(home):
    assert "contains the image itself" in problem_of("data:image/png;base64," + "A" * 9000)
    assert len(problem_of("data:image/png;base64," + "A" * 9000)) < 200
    assert "a file of another machine" in problem_of("file://server/share/1.jpg")


@pytest.mark.parametrize("written", ["x" * 5000, "a\0b.jpg", "\udcff.jpg"])
def test_what_cannot_be_looked_for_is_left_to_who_opens_it(home, written):
    assert str(locate(written).path) == written


def test_names_that_come_and_go_are_seen(home):
    written = unicodedata.normalize("NFC", "ö.jpg")
    problem_of(written)
    (home / unicodedata.normalize("NFD", "ö.jpg")).write_bytes(b"x")
    assert locate(written).path.read_bytes() == b"x"
