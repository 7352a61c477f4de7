"""Panels are written whole, whatever kills the writer or fills the disk; learners take turns."""

import os
import random
import resource
import shutil
import signal
import time
from collections import Counter

import pytest
from kit import photo

from doubleread.core.errors import DoublereadError, PanelError
from doubleread.panel import Panel
from doubleread.panel.feedback import adopt, relearn
from doubleread.panel.panel_folder import read_panel
from doubleread.panel.saving import clear_leftovers
from doubleread.panel.trust_folder import versions

NAMES = ("blue", "green", "red")


@pytest.fixture(scope="module")
def small(dataset, quick):
    """A fitted panel that is not saved."""
    cases = [c.model_copy(update={"split": "calibration" if i % 2 else "support"}) for i, c in enumerate(dataset.cases)]
    with Panel.fit(cases, dataset.task, settings=quick) as panel:
        yield panel


def child(act, room=None):
    """Starts a process that acts and ends with code 0, or 3 and its message in ``file`` where it was refused."""
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        return pid, reading
    code = 1
    try:
        os.close(reading)
        if room is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        act()
        code = 0
    except DoublereadError as error:
        os.write(writing, str(error).encode())
        code = 3
    finally:
        os._exit(code)


def ended(pid, reading):
    """Its exit code and what it said."""
    status = os.waitpid(pid, 0)[1]
    with os.fdopen(reading, "rb") as file:
        return os.waitstatus_to_exitcode(status), file.read().decode()


def names(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("replacing", [False, True])
def test_a_killed_writer_leaves_a_whole_panel_or_none_and_nothing_once_the_next_has_written(
    small, quick, tmp_path, replacing
):
    target, rng = tmp_path / "p", random.Random(1)
    if replacing:
        small.save(target)
    began = time.perf_counter()
    small.save(tmp_path / "q")
    took = time.perf_counter() - began
    ends = Counter()
    for _ in range(12):
        pid, reading = child(lambda: small.save(target))
        time.sleep(rng.uniform(0, 1.2 * took))
        os.kill(pid, signal.SIGKILL)
        ends[ended(pid, reading)[0]] += 1
        if replacing or target.exists():
            assert read_panel(target, quick).trust.version == 1
    assert sum(ends.values()) == 12
    small.save(target)
    assert names(tmp_path) == ["p", "q"]
    assert read_panel(target, quick).trust.version == 1


def test_what_killed_fits_of_any_age_left_is_cleared_and_other_folders_stay(small, made, tmp_path):
    shutil.copytree(made, tmp_path / ".p-x1y2z3w4")
    shutil.copytree(made, tmp_path / ".p-x1y2z3w4-old")  # killed between two renames: there is no panel of that name
    (tmp_path / ".p.draft-abcdefgh").mkdir()
    for other in (".p-notes123", ".q-x1y2z3w4", ".q.draft-abcdefgh", "p-x1y2z3w4"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "thesis.txt").write_text("three years of work")
    clear_leftovers(tmp_path / "p")
    assert names(tmp_path) == [".p-notes123", ".q-x1y2z3w4", ".q.draft-abcdefgh", "p", "p-x1y2z3w4"]
    assert (tmp_path / "p" / "panel.json").read_bytes() == (made / "panel.json").read_bytes()


@pytest.mark.parametrize("room", [1_000, 20_000, 100_000])
def test_a_full_disk_leaves_the_panel_that_was_there(small, made, quick, tmp_path, room):
    target = shutil.copytree(made, tmp_path / "p")
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    code, said = ended(*child(lambda: small.save(target), room))
    assert code == 3
    assert "p is as it was" in said
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert names(tmp_path) == ["p"]
    code, said = ended(*child(lambda: small.save(tmp_path / "new"), room))
    assert code == 3
    assert "nothing was written" in said
    assert names(tmp_path) == ["p"]


def test_outcomes_that_are_confirmed_while_a_panel_is_written_are_not_lost(small, made, quick, tmp_path):
    target = shutil.copytree(made, tmp_path / "p")
    verdict = small.diagnose(photo(tmp_path / "a.png", 0, seed=8000))
    with Panel.load(target, settings=quick) as panel:

        class Confirming(type(small._fitted.seated.agents["logistic"])):
            """Somebody confirms while this agent is written."""

            def state(self):
                panel.confirm(verdict, "blue", archive=False)
                return super().state()

        agent, kind = small._fitted.seated.agents["logistic"], type(small._fitted.seated.agents["logistic"])
        agent.__class__ = Confirming
        try:
            with pytest.raises(PanelError, match="holds confirmed outcomes"):
                small.save(target)
        finally:
            agent.__class__ = kind
        assert (target / "outcomes.jsonl").read_text().count("\n") == 1


def test_a_verdict_is_not_confirmed_to_another_panel_that_has_taken_the_folder(small, made, quick, tmp_path):
    target = shutil.copytree(made, tmp_path / "p")
    with Panel.load(target, settings=quick) as panel:
        verdict = panel.diagnose(photo(tmp_path / "a.png", 0, seed=8000))
        small.save(target)
        with pytest.raises(PanelError, match="holds another panel than the one that was loaded"):
            panel.confirm(verdict, "blue", archive=False)
    assert not (target / "outcomes.jsonl").exists()


# -- versions of trust --------------------------------------------------------------------------------------------


@pytest.fixture
def confirmed(made, quick, tmp_path):
    """A panel with outcomes to learn from."""
    folder = shutil.copytree(made, tmp_path / "p")
    with Panel.load(folder, settings=quick) as panel:
        for i in range(6):
            verdict = panel.diagnose(photo(tmp_path / f"{i}.png", i % 3, seed=8000 + i))
            panel.confirm(verdict, NAMES[i % 3], sampling="all", archive=False)
    return folder


def test_of_four_that_learn_at_once_one_wins_and_the_others_are_told(confirmed, quick):
    saved = read_panel(confirmed, quick)
    learned = relearn(saved)
    found = [ended(*one) for one in [child(lambda: adopt(saved, learned)) for _ in range(4)]]
    assert sorted(code for code, _ in found) == [0, 3, 3, 3]
    assert sum("another process has just written version 2" in said for _, said in found) == 3
    assert versions(confirmed) == (1, 2)
    assert names(confirmed / "trust") == ["logistic-round1.json", "neighbours-round1.json", "panel-round1.json", "v2"]
    assert read_panel(confirmed, quick).trust.version == 2


@pytest.mark.parametrize("room", [100, 5_000])
def test_a_full_disk_leaves_the_trust_as_it_was(confirmed, quick, room):
    saved = read_panel(confirmed, quick)
    learned = relearn(saved)
    code, said = ended(*child(lambda: adopt(saved, learned), room))
    assert code == 3
    assert said.endswith("the trust is as it was")
    assert "v2 cannot be written: File too large" in said
    assert "v2" not in names(confirmed / "trust")
    assert read_panel(confirmed, quick).trust.version == 1


def test_a_killed_update_changes_nothing_or_all(confirmed, quick):
    saved, rng = read_panel(confirmed, quick), random.Random(2)
    learned = relearn(saved)
    for _ in range(12):
        pid, reading = child(lambda: adopt(saved, learned))
        time.sleep(rng.uniform(0, 0.06))
        os.kill(pid, signal.SIGKILL)
        ended(pid, reading)
        now = read_panel(confirmed, quick)
        assert now.trust.version == (2 if now.pointer.versions == (1, 2) else 1)
    if now.trust.version == 1:
        adopt(saved, learned)
    assert [one for one in names(confirmed / "trust") if one.startswith(".")] == []
