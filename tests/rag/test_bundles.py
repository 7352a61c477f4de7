"""Exports from elsewhere: repeated, contradicting, hostile. Nothing of one that is refused is stored."""

import hashlib
import json
import os
import resource
import signal

import numpy as np
import pytest
from rag_support import bare_case, encoded, image_case, picture, units

from doubleread.core.errors import StoreError
from doubleread.rag.care.auditing import audit_file
from doubleread.rag.care.bundle import ABOUT, export
from doubleread.rag.care.unbundling import import_bundle
from doubleread.rag.stores.archive import Archive

DIM = 8
CASES = [bare_case(i, "ab"[i % 2]) for i in range(6)]
ROWS = units(6, DIM)


@pytest.fixture
def out(tmp_path):
    """The folder of an export of six cases."""
    with Archive(tmp_path / "store", "enc-1", dim=DIM, index=False) as store:
        store.add(CASES, ROWS)
        export(store, tmp_path / "out")
    return tmp_path / "out"


def sealed(out, lines=None, rows=None, **about):
    """Writes the export anew with other lines, rows or words, and digests that fit."""
    if lines is not None:
        (out / "cases.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if rows is not None:
        np.save(out / "embeddings-1.npy", rows)
    told = json.loads((out / ABOUT).read_text())
    told["sha256"] = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in told["sha256"]}
    told["cases"] = len((out / "cases.jsonl").read_text().splitlines())
    (out / ABOUT).write_text(json.dumps({**told, **about}))


def lines_of(out):
    return (out / "cases.jsonl").read_text().splitlines()


def with_case(line, **fields):
    told = json.loads(line)
    return json.dumps({**told, "case": {**told["case"], **fields}})


def test_repeated_cases_count_once_and_are_told(out, tmp_path):
    lines = lines_of(out)
    sealed(out, [*lines, lines[2], with_case(lines[3], label="z")], np.concatenate([ROWS, ROWS[:2]]))
    taken = import_bundle(tmp_path / "new", out)
    ids = [json.loads(line)["case"]["id"] for line in lines]
    assert (taken.added, taken.same, taken.repeated) == (6, 0, (ids[2], ids[3]))
    with Archive.existing(tmp_path / "new") as store:
        assert store.count() == len(store.past.history()) == 6
        assert {one.label for one in store.get(ids)} == {"a", "b"}
        assert audit_file(store.file) == []
    again = import_bundle(tmp_path / "new", out)
    assert (again.added, again.same, len(again.repeated)) == (0, 6, 2)


def test_rows_that_are_no_embeddings_are_left_out_and_told(out, tmp_path):
    rows = ROWS.copy()
    rows[1, 3], rows[2] = np.nan, np.inf
    rows[4] *= 7
    sealed(out, rows=rows)
    taken = import_bundle(tmp_path / "new", out)
    assert (taken.added, len(taken.without)) == (4, 2)
    with Archive.existing(tmp_path / "new") as store:
        assert np.allclose(np.linalg.norm(store.contents().embeddings, axis=1), 1, atol=1e-5)
        assert audit_file(store.file) == []


def pipe(out, name):
    (out / name).unlink()
    os.mkfifo(out / name)


def link(out, name):
    """A link to a file that is what it should be, but elsewhere."""
    (out / name).rename(out.parent / "elsewhere")
    (out / name).symlink_to(out.parent / "elsewhere")


def declared(out, shape):
    """A file of few bytes that declares a large array."""
    with (out / "embeddings-1.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(bytes(64))
    sealed(out)


DEEP = '{"case":' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: pipe(out, "cases.jsonl"), r"cases\.jsonl is not a regular file"),
        (lambda out: pipe(out, "embeddings-1.npy"), r"embeddings-1\.npy is not a regular file"),
        (lambda out: pipe(out, ABOUT), r"about\.json is not a regular file"),
        (lambda out: link(out, "cases.jsonl"), "is a link to a place outside"),
        (lambda out: sealed(out, [DEEP, *lines_of(out)[1:]]), r"cases\.jsonl, line 1 is nested deeper"),
        (lambda out: (out / ABOUT).write_text(DEEP), r"about\.json is nested deeper"),
        (lambda out: sealed(out, ["[]", *lines_of(out)[1:]]), r"cases\.jsonl line 1 is no case"),
        (lambda out: sealed(out, [with_case(lines_of(out)[0], label=" ")]), "has no label"),
        (lambda out: sealed(out, [with_case(lines_of(out)[0], label=None)]), "has no label"),
        (lambda out: sealed(out, [with_case(lines_of(out)[0], id="../x")]), "line 1 is no case"),
        (
            lambda out: sealed(out, [json.dumps({**json.loads(lines_of(out)[0]), "removed": True})]),
            "is removed, which no export holds",
        ),
        (lambda out: sealed(out, rows=ROWS[:5]), r"has shape \(5, 8\) of float32 instead of \(6, 8\)"),
        (lambda out: sealed(out, rows=ROWS.astype(float)), "of float64 instead of"),
        (lambda out: sealed(out, rows=ROWS * 0), r"embeddings-1\.npy: row 0 of the embeddings is zero"),
        (lambda out: declared(out, (6, DIM)), "holds other than the 6 rows"),
        (lambda out: declared(out, (10**12, DIM)), "has shape"),
        (lambda out: (out / "embeddings-1.npy").write_bytes(b"\x93NUMPY") and sealed(out), "cannot be read"),
        (lambda out: sealed(out, encoders=[]), "does not vouch for every file it names, or for others"),
        (lambda out: sealed(out, cases=-1), "no description of an export"),
    ],
)
def test_a_hostile_export_is_one_error_and_nothing_is_stored(out, tmp_path, spoil, message):
    spoil(out)
    with pytest.raises(StoreError, match=message):
        import_bundle(tmp_path / "new", out)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("path", ["../private.png", "images/link.png"])
def test_a_picture_that_leads_out_of_an_export_is_refused(out, tmp_path, path):
    private = tmp_path / "private.png"
    private.write_bytes(encoded(picture(1)))
    (out / "images").mkdir()
    (out / "images" / "link.png").symlink_to(private)
    sealed(out, [with_case(lines_of(out)[0], path=path), *lines_of(out)[1:]])
    with pytest.raises(StoreError, match=r"names the picture .*outside of"):
        import_bundle(tmp_path / "new", out)


def test_pictures_are_those_of_their_cases(tmp_path):
    cases = [image_case(tmp_path, seed, label="a") for seed in range(3)]
    with Archive(tmp_path / "store", "enc-1", dim=DIM, index=False) as store:
        store.add(cases, units(3, DIM))
        cases[2].path.write_bytes(encoded(picture(9)))
        done = export(store, tmp_path / "out", images=True)
    assert done.gone == (cases[2].source,), "the file is another picture by now"
    assert sorted(path.stem for path in (tmp_path / "out" / "images").iterdir()) == sorted(c.id for c in cases[:2])
    assert import_bundle(tmp_path / "new", tmp_path / "out").added == 3
    (tmp_path / "out" / "images" / f"{cases[0].id}.png").write_bytes(encoded(picture(9)))
    with pytest.raises(StoreError, match="is not the picture of case"):
        import_bundle(tmp_path / "newer", tmp_path / "out")


def test_an_export_to_a_full_disk_leaves_nothing(tmp_path):
    with Archive(tmp_path / "store", "enc-1", dim=DIM, index=False) as store:
        store.add([bare_case(i) for i in range(500)], units(500, DIM))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        try:
            with pytest.raises(StoreError, match=r"out cannot be written: .*; nothing was written"):
                export(store, tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handled)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
        export(store, tmp_path / "out")
    assert import_bundle(tmp_path / "new", tmp_path / "out").added == 500
