"""A folder is under its name whole or not at all, whenever its writer is killed."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from doubleread.core.drafts import clear_drafts, drafted, replace_folder
from doubleread.core.errors import FileError

WRITER = """
import sys, time
from pathlib import Path
from doubleread.core.drafts import drafted
with drafted(Path(sys.argv[1])) as draft:
    (draft / "new").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def write(target: Path, text: str) -> None:
    with drafted(target) as draft:
        (draft / "file").write_text(text)


def test_a_draft_replaces_its_target(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write(tmp_path / "p", text)
        assert (tmp_path / "p" / "file").read_text() == text
        assert names(tmp_path) == ["p"]


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "p", "one")
    with pytest.raises(TypeError), drafted(tmp_path / "p") as draft:
        (draft / "file").write_text(2)  # type: ignore[arg-type]  # the error that is wanted
    assert (tmp_path / "p" / "file").read_text() == "one"
    assert names(tmp_path) == ["p"]
    with pytest.raises(FileError, match=r"p is as it was; free some space"), drafted(tmp_path / "p"):
        raise OSError(28, "No space left on device")


def test_there_is_a_folder_at_every_instant(tmp_path: Path) -> None:
    target, missing, done = tmp_path / "p", [], threading.Event()
    write(target, "0")

    def watch() -> None:
        while not done.is_set():
            try:
                (target / "file").read_text()
            except FileNotFoundError:
                missing.append(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for i in range(200):
        write(target, str(i))
    done.set()
    watcher.join()
    if sys.platform in ("linux", "darwin"):
        assert not missing


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    target = tmp_path / "p[1]"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "writing\n"
    try:
        assert len(list(tmp_path.iterdir())) == 2
        clear_drafts(target)
        assert len(list(tmp_path.iterdir())) == 2
        writers[0].send_signal(signal.SIGKILL)
        writers[0].wait()
        clear_drafts(target)
        assert len(list(tmp_path.iterdir())) == 1
    finally:
        for one in writers:
            one.kill()
            one.communicate()
    write(target, "done")
    assert names(tmp_path) == ["p[1]"]


def test_a_replacement_that_was_cut_short_is_undone(tmp_path: Path) -> None:
    """As on systems that cannot exchange two folders: killed after the first of two renames."""
    write(tmp_path / "p", "one")
    (tmp_path / "p").rename(tmp_path / ".p.draft-x-old")
    clear_drafts(tmp_path / "p")
    assert (tmp_path / "p" / "file").read_text() == "one"


def test_a_new_folder_is_simply_renamed(tmp_path: Path) -> None:
    (tmp_path / "draft").mkdir()
    replace_folder(tmp_path / "p", tmp_path / "draft")
    assert names(tmp_path) == ["p"]
