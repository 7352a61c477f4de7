"""Progress: the caller's own, bars, a notebook's line, or log messages; never on stdout."""

import io
import logging

from rich.console import Console

from doubleread.core.progress import silent
from doubleread.evals.datasets import read_dataset
from doubleread.render.progress_display import LogLines, NotebookLine, StageBars, display_here, shown


def test_the_callers_progress_is_used_as_it_is():
    with shown(silent) as report:
        assert report is silent
    assert silent("stage", 1, 2) is None
    assert silent(1, 2) is None


def test_without_a_terminal_messages_are_logged(caplog, capsys, photos):
    assert isinstance(display_here(), LogLines)
    with caplog.at_level(logging.INFO, "doubleread"):
        read_dataset(photos)
    assert "reading files: 30 of 30" in caplog.messages
    assert capsys.readouterr() == ("", "")


def test_log_messages_tell_of_ends_and_long_stages(caplog):
    with caplog.at_level(logging.INFO, "doubleread"):
        seldom, often = LogLines(every_s=1e9), LogLines(every_s=0)
        for done in range(3):
            seldom("encoding", done + 1, 3)
        often("reading", 1, 3)
    assert caplog.messages == ["encoding: 3 of 3", "reading: 1 of 3"]


def test_bars_show_each_stage_on_their_console(capsys):
    out = io.StringIO()
    bars = StageBars(Console(file=out, force_terminal=True, width=80))
    bars("encoding", 3, 4)
    bars("learning", 1, 1)
    bars.close()
    assert "encoding" in out.getvalue()
    assert "3/4" in out.getvalue()
    assert capsys.readouterr().out == ""


def test_work_that_ends_at_once_shows_nothing():
    out = io.StringIO()
    bars = StageBars(Console(file=out, force_terminal=True), after_s=1e9)
    bars("encoding", 1, 1)
    bars.close()
    assert out.getvalue() == ""


class Cell:
    """A notebook's output: every version of what it shows."""

    def __init__(self):
        self.shown = []

    def display(self, data, *, raw, display_id):
        assert raw
        assert display_id
        self.update(data, raw=raw)
        return self

    def update(self, data, *, raw):
        assert raw
        self.shown.append(data)


def test_a_notebook_shows_one_line_and_removes_it():
    cell = Cell()
    line = NotebookLine(cell.display, after_s=0, every_s=0)
    line("reading <cases>", 2, 4)
    line("reading <cases>", 4, 4)
    line.close()
    first, second, last = cell.shown
    assert first["text/plain"] == "reading <cases>: 2 of 4"
    assert '<progress value="4" max="4">' in second["text/html"]
    assert "reading &lt;cases&gt;" in second["text/html"]
    assert last == {"text/plain": "", "text/html": ""}


def test_a_notebook_without_long_work_stays_empty():
    cell = Cell()
    line = NotebookLine(cell.display, after_s=1e9)
    line("reading", 1, 1)
    line.close()
    assert cell.shown == []
