"""``doubleread datasets``: what it prints, where, and with which exit code."""

import subprocess
import sys

import pytest
from public_support import dataset_of, sha256, shelf

from doubleread.cli.cmd_datasets import run_fetch
from doubleread.core.notices import DoublereadWarning
from doubleread.evals.public import PublicFile, public_datasets


def test_the_list_names_every_data_set_its_place_and_its_command(doubleread):
    ended = doubleread("datasets", "list")
    assert ended.code == 0
    for one in public_datasets().values():
        assert f"{one.name}  {one.home}" in ended.out.splitlines()
        assert one.use is None or f"  {one.use.format(folder=one.name)}" in ended.out.splitlines()
    assert "CC BY-SA 3.0" in ended.out
    assert "elpv-dataset" in ended.out
    assert "fetch 180 MB" in ended.out
    assert "\x1b" not in ended.out + ended.err


def test_one_is_shown_with_all_that_must_be_known(doubleread):
    ended = doubleread("datasets", "show", "apple-leaves")
    assert "same leaf" in ended.out
    assert ended.out.splitlines()[-1].endswith(r"--group 're:.*___(.+)\d_final' -o panel")
    ended = doubleread("datasets", "show", "paper-answers")
    assert f"    sha256 {public_datasets()['paper-answers'].files[0].sha256}" in ended.out.splitlines()
    assert "  doubleread datasets fetch paper-answers -o paper-answers" in ended.out.splitlines()
    assert "--accept-unverified" in doubleread("datasets", "show", "paper-embeddings").out


def test_errors_are_one_line(doubleread, monkeypatch, tmp_path):
    ended = doubleread("datasets", "show", "pears")
    assert (ended.code, "known: apple-leaves" in ended.err) == (2, True)
    ended = doubleread("datasets", "fetch", "paper-embeddings", "-o", tmp_path)
    assert (ended.code, "--accept-unverified" in ended.err) == (2, True)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody listens there
    ended = doubleread("datasets", "fetch", "paper-answers", "-o", tmp_path)
    assert (ended.code, "no connection to raw.githubusercontent.com" in ended.err) == (2, True)


def test_fetching_says_what_came_and_what_to_run(capsys, tmp_path):
    with shelf() as server:
        files = (
            PublicFile(name="a.csv", url=server.put("/a", b"aaa"), sha256=sha256(b"aaa")),
            PublicFile(name="b.csv", url=server.put("/b", b"bbb")),
        )
        dataset = dataset_of(*files, use="doubleread fit {folder}")
        with pytest.warns(DoublereadWarning, match="checksum"):
            run_fetch(dataset, tmp_path / "new", accept_unverified=True)
        said = capsys.readouterr()
        run_fetch(dataset, tmp_path / "new")
    assert "a.csv  3 bytes  fetched, sha256 9834876dcfb0… (known)" in said.out.splitlines()
    assert said.out.splitlines()[-1] == f"  doubleread fit {tmp_path / 'new'}"
    assert "Licence: MIT" in said.err
    again = capsys.readouterr()
    assert "b.csv  3 bytes  already there, sha256 3e744b9dc393… (remembered)" in again.out.splitlines()
    assert "not known" not in again.err


def test_ctrl_c_says_that_nothing_is_lost():
    program = (
        "import signal; from doubleread.cli.main import app, main\n"
        "app.command('wait')(lambda: signal.raise_signal(signal.SIGINT))\n"
        "main(['wait'])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert ended.stderr == "stopped; what was stored is kept: run the same command to go on\n"
