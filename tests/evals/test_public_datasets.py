"""Public data come whole and right, or not at all: over real HTTP, from a server on this machine."""

import io
import json
import os
import re
import resource
import shlex
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from public_support import dataset_of, sha256, shelf
from typer.main import get_command

from doubleread.cli.main import app
from doubleread.core.errors import DataError, UnknownPart
from doubleread.evals.datasets._groups import group_key
from doubleread.evals.paper import PAPER_PANELS
from doubleread.evals.public import PublicFile, fetch, find, public_datasets
from doubleread.evals.public._disk import digest

REAL = os.environ.get("DOUBLEREAD_PAPER", "")
BODY = bytes(range(256)) * 800


@pytest.fixture
def server():
    with shelf() as found:
        yield found


def one(url, body=BODY, *, known=True, name="leaves.bin", **fields):
    """A data set of one file."""
    checksum = sha256(body) if known else None
    return dataset_of(PublicFile(name=name, url=url, sha256=checksum, **fields))


# -- the table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", public_datasets())
def test_every_data_set_can_be_got_and_says_what_it_is(name):
    found = find(name)
    assert found.files or found.steps
    assert found.licence
    assert found.home.startswith("https://")
    assert not any(file.sha256 for file in found.files) or found.checksums_from
    for file in found.files:
        assert file.url.startswith("https://")
        if "raw.githubusercontent.com" in file.url:
            assert re.search(r"/[0-9a-f]{40}/", file.url), "pinned to a commit"


@pytest.mark.parametrize("use", [one.use for one in public_datasets().values() if one.use])
def test_every_command_of_the_table_parses(use):
    words = shlex.split(use.format(folder="here"))[1:]
    command = get_command(app).commands[words.pop(0)]
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


def test_the_papers_answers_get_the_names_that_reproducing_them_looks_for():
    assert {file.name for file in find("paper-answers").files} == {file for file, _ in PAPER_PANELS.values()}


@pytest.mark.parametrize(
    ("name", "path", "group"),
    [
        ("apple-leaves", "Apple___Apple_scab/00075aa8-d81a___FREC_Scab 3335_final_masked.jpg", "FREC_Scab 333"),
        ("colorectal-tissue", "01_TUMOR/1A11_CRC-Prim-HE-07_022.tif_Row_601_Col_151.tif", "CRC-Prim-HE-07"),
    ],
)
def test_the_group_patterns_keep_together_what_belongs_together(name, path, group):
    words = shlex.split(find(name).use)
    assert group_key(words[words.index("--group") + 1], (), "path")({"path": path}) == group


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UnknownPart, match="apple-leaves"):
        find("pears")


@pytest.mark.skipif(not REAL, reason="set DOUBLEREAD_PAPER to the folder with the paper's CSV files")
def test_the_real_record_has_the_checksums_of_the_table():
    for file in find("paper-answers").files:
        assert (digest(Path(REAL) / file.name), (Path(REAL) / file.name).stat().st_size) == (file.sha256, file.size)


# -- a file that comes --------------------------------------------------------------------------------------------


def test_files_come_verified_and_are_not_fetched_again(server, tmp_path):
    dataset = dataset_of(
        PublicFile(name="a.csv", url=server.put("/long/a", b"aaa"), sha256=sha256(b"aaa"), size=3),
        PublicFile(name="b.csv", url=server.put("/b", BODY, length=False, etag=None), sha256=sha256(BODY)),
    )
    told = []
    first = fetch(dataset, tmp_path / "new" / "folder", report=lambda *news: told.append(news))
    assert [(f.name, f.size, f.was_there, f.basis) for f in first] == [
        ("a.csv", 3, False, "known"),
        ("b.csv", len(BODY), False, "known"),
    ]
    assert told[0] == ("a.csv", 3, 3)
    assert told[-1] == ("b.csv", len(BODY), 0)
    assert {p.name for p in (tmp_path / "new" / "folder").iterdir()} == {"a.csv", "b.csv"}
    assert all(file.was_there for file in fetch(dataset, tmp_path / "new" / "folder"))
    assert len(server.asked) == 2


def test_a_redirect_is_followed_to_this_machine(server, tmp_path):
    server.put("/there", BODY)
    url = server.put("/here", status=302, headers={"Location": "/there"})
    assert fetch(one(url), tmp_path)[0].sha256 == sha256(BODY)


# -- a file that does not -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": 404}, "does not exist any more .HTTP 404.*home page"),
        ({"status": 503}, "HTTP 503.*again later"),
        ({"status": 204}, "HTTP 204"),
        ({"headers": {"Content-Type": "text/html; charset=utf-8"}}, "web page instead.*login"),
        ({"body": b"\n<!DOCTYPE HTML><p>Log in"}, "web page instead"),
        ({"headers": {"Content-Encoding": "gzip"}}, "arrives compressed"),
        ({"body": b"other"}, r"not the expected file .sha256 d9298a10.*nothing was kept"),
        ({"status": 302, "headers": {"Location": "http://leaves.example/x"}}, "only https addresses"),
        ({"status": 302, "headers": {"Location": "ftp://leaves.example/x"}}, "only https addresses"),
        ({"status": 302, "headers": {"Location": "/x"}}, "redirects more than 5 times"),
        ({"status": 302, "headers": {"Location": "https://leaves.example:x/"}}, "redirects to an invalid address"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:40],
)
def test_what_is_not_the_file_is_said_and_not_kept(server, tmp_path, fields, said):
    url = server.put("/x", **{"body": BODY, **fields})
    with pytest.raises(DataError, match=said):
        fetch(one(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("length", "said"), [(True, "has 204,800 bytes, not 1,000"), (False, "more than 1,000 bytes.*nothing was kept")]
)
def test_a_file_of_another_size_is_not_fetched_to_its_end(server, tmp_path, length, said):
    with pytest.raises(DataError, match=said):
        fetch(one(server.put("/x", BODY, length=length), size=1000), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://leaves.example/a", "http://127.0.0.1.leaves.example/a", "file:///etc/hosts"])
def test_only_https_leaves_this_machine(tmp_path, url):
    with pytest.raises(DataError, match="only https"):
        fetch(one(url), tmp_path)


def test_no_network_is_said(tmp_path):
    with shelf() as gone:
        url = gone.put("/x", BODY)
    with pytest.raises(DataError, match=r"no connection to 127\.0\.0\.1.*online"):
        fetch(one(url), tmp_path)


def test_another_file_in_its_place_is_not_touched(server, tmp_path):
    (tmp_path / "leaves.bin").write_text("mine")
    with pytest.raises(DataError, match=r"exists and is a different file.*move it away"):
        fetch(one(server.put("/x", BODY)), tmp_path)
    assert (tmp_path / "leaves.bin").read_text() == "mine"
    assert server.asked == []


def test_a_full_disk_is_said_and_what_came_is_gone_on_from(server, tmp_path):
    dataset = one(server.put("/x", BODY))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DataError, match=r"disk is full.*leaves\.bin\.part"):
            fetch(dataset, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    fetch(dataset, tmp_path)
    assert (tmp_path / "leaves.bin").read_bytes() == BODY


def test_too_little_room_is_known_before_anything_comes(server, tmp_path):
    with pytest.raises(DataError, match=r"bytes left and 10{15} are needed|1,000,000,000,000,000 are needed"):
        fetch(one(server.put("/x", BODY, length=False), size=10**15), tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- a file that comes in parts -----------------------------------------------------------------------------------


def broken_off(server, dataset, folder, after=150_000):
    """The connection ends early; the part that came is there."""
    item = server.items["/x"]
    item.cut_after = after
    with pytest.raises(DataError, match="again to resume"):
        fetch(dataset, folder)
    assert not (folder / "leaves.bin").exists()
    assert (folder / "leaves.bin.part").read_bytes() == item.body[:after]
    item.cut_after = None


@pytest.mark.parametrize("length", [True, False])
def test_a_part_is_gone_on_from(server, tmp_path, length):
    dataset = one(server.put("/x", BODY, length=length), size=len(BODY))
    broken_off(server, dataset, tmp_path)
    told = []
    fetch(dataset, tmp_path, report=lambda *news: told.append(news))
    assert server.asked == [("/x", None), ("/x", "bytes=150000-")]
    assert told[0][1] > 150_000
    assert told[-1] == ("leaves.bin", len(BODY), len(BODY))
    assert (tmp_path / "leaves.bin").read_bytes() == BODY
    assert [p.name for p in tmp_path.iterdir()] == ["leaves.bin"]


@pytest.mark.parametrize("lacking", [{"ranges": False}, {"etag": None}, {"etag": 'W/"1"'}, {"first_byte": 7}])
def test_it_begins_again_where_the_server_cannot_go_on(server, tmp_path, lacking):
    dataset = one(server.put("/x", BODY, **lacking))
    broken_off(server, dataset, tmp_path)
    fetch(dataset, tmp_path)
    assert (tmp_path / "leaves.bin").read_bytes() == BODY


def test_a_file_that_changed_in_between_is_never_a_mixture(server, tmp_path):
    dataset = one(server.put("/x", BODY), known=False)
    server.items["/x"].cut_after = 150_000
    with pytest.raises(DataError, match="again to resume"):
        fetch(dataset, tmp_path, accept_unverified=True)
    server.put("/x", BODY[::-1], etag='"2"')
    fetch(dataset, tmp_path, accept_unverified=True)
    assert (tmp_path / "leaves.bin").read_bytes() == BODY[::-1]


def test_a_part_that_has_more_than_the_file_begins_again(server, tmp_path):
    dataset = one(server.put("/x", BODY))
    broken_off(server, dataset, tmp_path)
    (tmp_path / "leaves.bin.part").write_bytes(BODY + b"more")
    fetch(dataset, tmp_path)
    assert server.asked[1:] == [("/x", f"bytes={len(BODY) + 4}-"), ("/x", None)]
    assert (tmp_path / "leaves.bin").read_bytes() == BODY


def test_a_spoilt_part_is_found_out_and_thrown_away(server, tmp_path):
    dataset = one(server.put("/x", BODY))
    broken_off(server, dataset, tmp_path)
    (tmp_path / "leaves.bin.part").write_bytes(b"?" * 150_000)
    with pytest.raises(DataError, match="not the expected file"):
        fetch(dataset, tmp_path)
    assert list(tmp_path.iterdir()) == []
    fetch(dataset, tmp_path)


def test_ctrl_c_keeps_what_came(server, tmp_path):
    dataset = one(server.put("/x", BODY, seconds_a_kb=0.01))
    program = (
        "import sys; from pathlib import Path; from doubleread.evals.public import PublicDataset, fetch\n"
        "dataset = PublicDataset.model_validate_json(sys.argv[1])\n"
        "fetch(dataset, Path(sys.argv[2]), report=lambda *news: print(*news, flush=True))\n"
    )
    words = [sys.executable, "-c", program, dataset.model_dump_json(), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        for _ in range(5):
            running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in running.communicate(timeout=120)[1]
    came = (tmp_path / "leaves.bin.part").stat().st_size
    assert 0 < came < len(BODY)
    server.items["/x"].seconds_a_kb = 0
    fetch(dataset, tmp_path)
    assert server.asked[-1] == ("/x", f"bytes={came}-")
    assert (tmp_path / "leaves.bin").read_bytes() == BODY


# -- a file whose checksum is not known ---------------------------------------------------------------------------


def test_an_unknown_file_is_not_fetched_silently(server, tmp_path):
    with pytest.raises(DataError, match=r"the checksum of leaves\.bin is not known.*--sha256.*--accept-unverified"):
        fetch(one(server.put("/x", BODY), known=False), tmp_path / "out")
    assert server.asked == []
    assert not (tmp_path / "out").exists()


def test_the_first_copy_is_believed_once_and_held_to_ever_after(server, tmp_path):
    dataset = one(server.put("/x", BODY), known=False)
    assert fetch(dataset, tmp_path, accept_unverified=True)[0].basis == "first copy"
    assert json.loads((tmp_path / "checksums.json").read_text()) == {"sha256": {"leaves.bin": sha256(BODY)}}
    assert fetch(dataset, tmp_path)[0].basis == "remembered"
    (tmp_path / "leaves.bin").unlink()
    server.put("/x", b"changed")
    with pytest.raises(DataError, match="not the expected file"):
        fetch(dataset, tmp_path, accept_unverified=True)


def test_a_file_found_there_is_not_believed_for_being_there(server, tmp_path):
    (tmp_path / "leaves.bin").write_bytes(BODY)
    with pytest.raises(DataError, match="its checksum is not known"):
        fetch(one(server.put("/x", BODY), known=False), tmp_path, accept_unverified=True)


def test_a_checksum_that_the_user_names_is_held_to(server, tmp_path):
    dataset = one(server.put("/x", BODY), known=False)
    with pytest.raises(DataError, match=r"not the expected file.*given"):
        fetch(dataset, tmp_path, sha256="0" * 64)
    assert fetch(dataset, tmp_path, sha256=sha256(BODY).upper())[0].basis == "given"
    assert fetch(dataset, tmp_path)[0].basis == "remembered"


def test_a_checksum_for_nothing_is_refused(server, tmp_path):
    with pytest.raises(DataError, match="all its checksums are known"):
        fetch(one(server.put("/x", BODY)), tmp_path, sha256="0" * 64)
    with pytest.raises(DataError, match="64 hexadecimal digits"):
        fetch(one(server.put("/x", BODY), known=False), tmp_path, sha256="abc")


def test_checksums_that_are_something_else_are_not_overwritten(server, tmp_path):
    (tmp_path / "checksums.json").write_text("[1]")
    with pytest.raises(DataError, match=r"checksums\.json is not a list of checksums"):
        fetch(one(server.put("/x", BODY), known=False), tmp_path, accept_unverified=True)


# -- archives -----------------------------------------------------------------------------------------------------


def zipped(members, *, mode=0, claimed=None):
    """A zip of (name, contents); ``mode`` is that of the last member, ``claimed`` the size it pretends to have."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, contents)
        if claimed is not None:
            archive.infolist()[-1].file_size = claimed
    return raw.getvalue()


def archive_of(server, body):
    return one(server.put("/x", body), body, name="leaves.zip", unpack=True)


def test_an_archive_is_unpacked_once_and_completed_later(server, tmp_path):
    dataset = archive_of(server, zipped([("train/", b""), ("train/rust/1.jpg", b"one"), ("train/scab/2.jpg", BODY)]))
    assert fetch(dataset, tmp_path)[0].unpacked == 2
    assert (tmp_path / "train" / "scab" / "2.jpg").read_bytes() == BODY
    assert fetch(dataset, tmp_path)[0].unpacked == 0
    (tmp_path / "train" / "rust" / "1.jpg").unlink()
    assert fetch(dataset, tmp_path)[0].unpacked == 1
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "name", ["../out.jpg", "train/../../out.jpg", "/out.jpg", "..\\out.jpg", "C:out.jpg", "train/..", "."]
)
def test_nothing_is_unpacked_outside(server, tmp_path, name):
    dataset = archive_of(server, zipped([("train/1.jpg", b"one"), (name, b"out")]))
    with pytest.raises(DataError, match="a path outside the folder, so it was not unpacked"):
        fetch(dataset, tmp_path / "in")
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "leaves.zip"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_not_unpacked(server, tmp_path, mode):
    with pytest.raises(DataError, match="a link or device, so it was not unpacked"):
        fetch(archive_of(server, zipped([("passwd", b"/etc/passwd")], mode=mode)), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["leaves.zip"]


def test_a_link_that_was_in_the_folder_is_no_way_out(server, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in" / "train").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="is a link to a place outside"):
        fetch(archive_of(server, zipped([("train/1.jpg", b"one")])), tmp_path / "in")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_archive_that_would_be_too_much_is_not_unpacked(server, tmp_path):
    with pytest.raises(DataError, match="8,000,000,000 bytes, so it was not unpacked"):
        fetch(archive_of(server, zipped([("1.jpg", b"one")], claimed=9 * 10**9)), tmp_path)


def test_an_archive_that_is_none_is_said(server, tmp_path):
    with pytest.raises(DataError, match=r"cannot be unpacked.*fetch it again"):
        fetch(archive_of(server, b"not a zip"), tmp_path)


def test_unpacking_never_replaces_another_file(server, tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"two")
    with pytest.raises(DataError, match=r"1\.jpg exists and is a different file"):
        fetch(archive_of(server, zipped([("0.jpg", b"zero"), ("1.jpg", b"one")])), tmp_path)
    assert (tmp_path / "1.jpg").read_bytes() == b"two"
    assert not (tmp_path / "0.jpg").exists()


def test_what_is_cloned_or_installed_is_not_fetched(tmp_path):
    with pytest.raises(DataError, match=r"git clone .* && git -C"):
        fetch(find("apple-leaves"), tmp_path)
