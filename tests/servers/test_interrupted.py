"""Fitting and diagnosing are killed in the middle: what was answered is not asked for again."""

import sqlite3
import time
from contextlib import closing

import pytest
from kit import photo
from servers_kit import command_line, door, started

pytestmark = pytest.mark.servers
PATIENCE_S = 120.0
CALLS, NEW = 2 * 30 + 3 * 4, 12
"""Questions of fitting, and of diagnosing: one for each new photo."""


def stored(folder):
    """Answers in the cache."""
    with closing(sqlite3.connect(folder / "answers.sqlite")) as cache:
        return cache.execute("select count(*) from answers").fetchone()[0]


def kill_after(answers, passed, cache, *command):
    """Runs the command until so many more answers are stored and the next questions wait, and kills it."""
    most = len(passed.asked) + answers
    before = stored(cache) if (cache / "answers.sqlite").exists() else 0
    passed.open(most)
    with started(*command) as process:
        assert passed.held.wait(PATIENCE_S)
        until = time.monotonic() + PATIENCE_S
        while stored(cache) < before + answers and time.monotonic() < until:
            time.sleep(0.05)
        assert stored(cache) == before + answers
        assert process.poll() is None
    passed.open()


def test_nothing_is_paid_twice_when_fitting_and_diagnosing_are_killed(server, settings_file, photos, tmp_path):
    new = [photo(tmp_path / "new" / f"{i}.png", i % 3, seed=7000 + i) for i in range(NEW)]
    with door(server.base_url) as (passed, url):
        file = settings_file({"tiny": {"model": server.trained, "base_url": url, "in_flight": 4}})
        fit = ("fit", photos, "--settings", file, "-o", tmp_path / "panel", "--test-share", "0")
        kill_after(25, passed, file.parent, *fit)
        assert not (tmp_path / "panel" / "panel.json").exists()
        again = command_line(*fit)
        assert again.returncode == 0, again.stderr[-3000:]
        assert (len(passed.asked), passed.repeated()) == (CALLS, [])

        diagnose = ("diagnose", *new, "--panel", tmp_path / "panel", "--settings", file, "--json")
        kill_after(5, passed, file.parent, *diagnose)
        done = command_line(*diagnose)
        assert done.returncode == 0, done.stderr[-3000:]
        assert len(done.stdout.splitlines()) == NEW
        assert (len(passed.asked), passed.repeated()) == (CALLS + NEW, [])
