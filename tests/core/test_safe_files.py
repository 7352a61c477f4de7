"""Files that somebody else may have written: every bad one is a ``FileError`` that names it."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from doubleread.core.errors import FileError
from doubleread.core.safe_files import (
    MAX_DEPTH,
    inside,
    parse_json,
    read_arrays,
    read_bytes,
    read_json,
    read_json_lines,
    read_text,
)
from doubleread.core.safe_text import byte_lines, text_lines


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "a\\..\\x", "C:\\x", "a\0b", ".."])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="not the name of a file in"):
        inside(tmp_path, name)


def test_links_stay_inside(tmp_path: Path) -> None:
    home = tmp_path / "panel"
    (home / "real").mkdir(parents=True)
    (home / "near").symlink_to(home / "real")
    (home / "out").symlink_to(tmp_path)
    assert inside(home, "near/x.json") == home / "near" / "x.json"
    with pytest.raises(FileError, match="link to a place outside"):
        inside(home, "out/x.json")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device", "."):
        with pytest.raises(FileError, match="not a regular file"):
            read_bytes(tmp_path / name)
    with pytest.raises(FileError, match="is missing"):
        read_bytes(tmp_path / "nothing")


def test_sizes_are_bounded(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as out:
        out.truncate(10**12)
    with pytest.raises(FileError, match=r"1,000,000,000,000 bytes; at most"):
        read_bytes(file)
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="not UTF-8 text"):
        read_text(tmp_path / "text")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "9" * 5_000,
        "{",
        "",
        "\ud800",
        '"' + '\\"' * 1000,
    ],
)
def test_bad_json_is_refused(text: str) -> None:
    with pytest.raises(FileError, match="somewhere"):
        parse_json(text, "somewhere")


def test_brackets_in_texts_are_no_nesting() -> None:
    value = {"text": "[{" * 1000, "quoted": '\\"[' * 500, "list": [[1]] * 200}
    assert parse_json(json.dumps(value), "x") == value


def test_unclosed_texts_take_linear_time() -> None:
    with pytest.raises(FileError):
        parse_json("[" * (MAX_DEPTH + 1) + '"' + '\\"' * 2_000_000, "x")


def test_json_objects_and_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("[1]")
    with pytest.raises(FileError, match=r"a\.json should hold a JSON object, not a list"):
        read_json(file)
    file.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert [(number, json.loads(line)["a"]) for number, line in read_json_lines(file)] == [(1, 1), (3, 2)]
    file.write_text("{}\n" + "[" * 200)
    with pytest.raises(FileError, match="line 2 is nested deeper"):
        list(read_json_lines(file))


def test_arrays_come_back(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    given = {"x": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "bc"]), "none": np.zeros((0, 4), np.float32)}
    np.savez_compressed(file, **given)  # type: ignore[arg-type]  # numpy's stub reads ** as its own flag
    found = read_arrays(file)
    assert all(np.array_equal(found[name], array) for name, array in given.items())


def test_absurd_shapes_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000), }".ljust(117) + "\n"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"1234")
    with pytest.raises(FileError, match="declares"):
        read_arrays(file)


def test_other_bad_arrays_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FileError, match="only numbers and text"):
        read_arrays(file)
    np.savez(file, x=np.array([1.0, np.nan]))
    with pytest.raises(FileError, match="not finite"):
        read_arrays(file)
    np.savez(file, x=np.zeros(1000))
    with pytest.raises(FileError, match="at most 100 are read"):
        read_arrays(file, limit=100)
    whole = file.read_bytes()
    for cut in range(0, len(whole), 97):
        file.write_bytes(whole[:cut])
        with pytest.raises(FileError):
            read_arrays(file)


def test_half_a_last_line_is_left_out_where_that_is_asked(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"one\ntwo\nthr")
    assert list(byte_lines(file)) == [b"one\n", b"two\n", b"thr"]
    assert list(byte_lines(file, torn=True)) == [b"one\n", b"two\n"]
    assert list(text_lines(file, torn=True)) == ["one\n", "two\n"]
