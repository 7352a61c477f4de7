"""Living trust, with real panels of small photographs: confirm, watch, learn, go back."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from kit import photo
from panel_kit import reseal
from PIL import Image

from doubleread.core.errors import ImageError, NotConfirmed, PanelError, TaskError
from doubleread.evals.drawings import svg
from doubleread.evals.trust_comparison import compare
from doubleread.evals.trust_drawing import draw_trust
from doubleread.panel import Panel
from doubleread.panel.feedback import drifts, forget, graded, relearn, retract, unseen_outcomes
from doubleread.panel.outcomes import FILE, HEAD, read_outcomes
from doubleread.panel.panel_folder import read_panel
from doubleread.panel.trust_folder import use_version, versions

NAMES = ("blue", "green", "red")


@pytest.fixture(scope="module")
def fresh(made, quick, tmp_path_factory):
    """12 verdicts of that panel on new pictures, and the true labels."""
    folder = tmp_path_factory.mktemp("fresh")
    files = [photo(folder / f"{i}-{NAMES[i % 3]}.png", i % 3, seed=7000 + i) for i in range(12)]
    with Panel.load(made, settings=quick) as panel:
        return [(verdict, NAMES[i % 3]) for i, verdict in enumerate(panel.diagnose_many(files))]


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the panel's folder that may be written into."""
    return shutil.copytree(made, tmp_path / "panel")


@pytest.fixture
def live(folder, quick):
    with Panel.load(folder, settings=quick) as panel:
        yield panel


def confirm_all(panel, fresh, sampling="all"):
    """Trust only: the archive stays as it was."""
    return [panel.confirm(verdict, label, sampling=sampling, reviewer="ann", archive=False) for verdict, label in fresh]


# -- confirming ---------------------------------------------------------------------------------------------------


def test_a_confirmed_outcome_is_kept_with_where_it_came_from(live, folder, fresh):
    (verdict, label), *_ = fresh
    outcome = live.confirm(verdict, label, reviewer="ann", note="under the lens")
    assert read_outcomes(folder).standing == (outcome,)
    assert (outcome.case, outcome.source, outcome.label) == (verdict.case.id, verdict.case.source, label)
    assert (outcome.reviewer, outcome.note, outcome.sampling) == ("ann", "under the lens", "selected")
    assert (outcome.said, outcome.posterior, outcome.trust_version) == (verdict.label, verdict.posterior, 1)
    assert outcome.kind == "confirmed"
    (stored,) = live._store.get([verdict.case.id])
    assert (stored.label, stored.reviewer, stored.added) == (label, "ann", outcome.time)
    assert stored.origin.startswith("confirmed verdict (said ")


def test_a_confirmed_case_is_evidence_for_others_at_once_and_never_for_itself(live, fresh, tmp_path, quick, folder):
    (verdict, label), *_ = fresh
    copy = photo(tmp_path / "again.png", NAMES.index(label), seed=7000)
    near = tmp_path / "near.png"  # the same thing in another picture
    pixels = np.asarray(Image.open(copy).convert("RGB"))[:, ::-1].copy()
    ground = (pixels >= 90).all(-1) & (pixels < 150).all(-1)
    pixels[ground] = np.random.default_rng(0).integers(90, 150, (ground.sum(), 3))
    Image.fromarray(pixels).save(near)
    before = live.diagnose(near)
    live.confirm(verdict, label, reviewer="ann")
    found = live.diagnose(near).evidence.neighbours
    assert verdict.case.id not in {one.case_id for one in before.evidence.neighbours}
    assert found[0].case_id == verdict.case.id
    again = live.diagnose(verdict.case)
    assert verdict.case.id not in {one.case_id for one in again.evidence.neighbours}
    assert any(f"confirmed as {label} by ann" in warning for warning in again.warnings)
    with Panel.load(folder, settings=quick) as other:
        assert other._store.holds(verdict.case.id)
    live.retract(verdict.case.id)
    assert not live._store.holds(verdict.case.id)
    assert live.diagnose(near).evidence.neighbours == before.evidence.neighbours


def test_a_near_copy_is_no_evidence_and_the_verdict_says_so(live, fresh, tmp_path):
    (verdict, label), *_ = fresh
    near = tmp_path / "near.png"
    Image.open(verdict.case.path).convert("RGB").resize((60, 60)).save(near)
    live.confirm(verdict, label)
    again = live.diagnose(near)
    assert [one.case_id for one in again.evidence.near_copies] == [verdict.case.id]
    assert verdict.case.id not in {one.case_id for one in again.evidence.neighbours}
    assert any(f"almost the same image is in the archive as {label}" in warning for warning in again.warnings)
    live.confirm(again, label)  # what it resembles was confirmed too: the panel did not learn from it


def test_a_near_copy_of_what_the_panel_learned_from_cannot_grade_it(live, tmp_path):
    own = live._store.export()[0][0]
    near = tmp_path / "near.png"
    Image.open(own.path).convert("RGB").resize((60, 60)).save(near)
    verdict = live.diagnose(near)
    assert own.id in [one.case_id for one in verdict.evidence.near_copies]
    with pytest.raises(PanelError, match="or nearly the same picture is"):
        live.confirm(verdict, str(own.label))


def test_what_was_confirmed_never_grades_the_panel_that_was_fitted_on_it(live, fresh, quick, folder):
    """The readings that are graded are those from before the case was stored."""
    confirm_all(live, fresh[:6])
    graded_on = [outcome.posterior for outcome in read_outcomes(folder).standing]
    assert graded_on == [verdict.posterior for verdict, _ in fresh[:6]]


def test_a_picture_that_is_gone_is_confirmed_without_the_archive_only(live, folder, fresh):
    verdict, label = fresh[0]
    gone = verdict.case.model_copy(update={"id": "9" * 64, "path": folder / "gone.png"})
    elsewhere = verdict.model_copy(update={"case": gone})
    with pytest.raises(ImageError):
        live.confirm(elsewhere, label)
    assert read_outcomes(folder).standing == ()
    live.confirm(elsewhere, label, archive=False)
    assert not live._store.holds(gone.id)


def test_confirming_again_supersedes_and_a_retraction_takes_back(live, folder, fresh, quick):
    confirm_all(live, fresh[:2])
    verdict = fresh[0][0]
    wrong = next(name for name in NAMES if name != verdict.label)
    assert live.confirm(verdict, wrong).kind == "corrected"
    found = read_outcomes(folder)
    assert [o.case for o in found.standing] == [v.case.id for v, _ in fresh[:2]]
    assert found.standing[0].label == wrong
    assert len(found.history) == 3
    retract(read_panel(folder, quick), verdict.case.id)
    found = read_outcomes(folder)
    assert [o.case for o in found.standing] == [fresh[1][0].case.id]
    assert len(found.history) == 4
    with pytest.raises(PanelError, match="has no outcome"):
        retract(read_panel(folder, quick), verdict.case.id)


def test_what_is_done_twice_counts_once_and_completes_what_was_cut_short(live, folder, fresh, quick):
    verdict, label = fresh[0]
    first = live.confirm(verdict, label, reviewer="ann", archive=False)  # as if killed before the archive was written
    assert not live._store.holds(verdict.case.id)
    assert live.confirm(verdict, label, reviewer="ann") == first
    assert live._store.holds(verdict.case.id)
    before = live._store.version()
    live.confirm(verdict, label, reviewer="ann")
    assert live._store.version() == before
    assert len(read_outcomes(folder).history) == 1
    forget(live._store, verdict.case.id)  # as if killed before the retraction was written
    live.retract(verdict.case.id)
    assert read_outcomes(folder).standing == ()
    with pytest.raises(NotConfirmed):
        live.retract(verdict.case.id)


def test_cases_of_its_own_and_verdicts_of_others_are_refused(live, folder, dataset, fresh):
    for case in dataset.cases[:2]:  # one of the support, one of the calibration split
        with pytest.raises(PanelError, match="among the panel's own cases"):
            live.confirm(live.diagnose(case), "blue")
    verdict = fresh[0][0]
    with pytest.raises(TaskError, match="label 'mauve' is not one of task"):
        live.confirm(verdict, "mauve")
    with pytest.raises(PanelError, match="a verdict of task 'other'"):
        live.confirm(verdict.model_copy(update={"task": "other"}), "blue")
    stranger = verdict.opinions[0].model_copy(update={"agent": "stranger"})
    with pytest.raises(PanelError, match="another panel, with stranger"):
        live.confirm(verdict.model_copy(update={"opinions": (stranger,)}), "blue")
    assert not (folder / FILE).exists()


def test_a_panel_without_a_folder_cannot_keep_outcomes(fitted, fresh):
    with pytest.raises(PanelError, match="save it, and load it"):
        fitted.confirm(fresh[0][0], "blue")
    with pytest.raises(PanelError, match="save it, and load it"):
        fitted.relearn()


def test_half_a_line_is_told_left_out_and_cut_off_by_the_next(live, folder, fresh):
    confirm_all(live, fresh[:2])
    path = folder / FILE
    whole = path.read_bytes()
    (folder / HEAD).unlink()  # killed while the second line was written, before the head was
    path.write_bytes(whole[:-40])
    found = read_outcomes(folder)
    assert len(found.standing) == 1
    assert "cut short" in found.problems[0]
    confirm_all(live, fresh[1:3])
    assert [o.case for o in read_outcomes(folder).standing] == [v.case.id for v, _ in fresh[:3]]
    assert not read_outcomes(folder).problems


def test_two_processes_may_confirm_at_once(folder, fresh):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from doubleread.core.reading import Retraction\n"
        "from doubleread.panel.outcomes import OutcomeEntry, add_entries\n"
        "from datetime import UTC, datetime\n"
        "for i in range(40):\n"
        "    taken = Retraction(case=f'{sys.argv[2]}{i}', note='x' * 9000, time=datetime.now(UTC))\n"
        "    add_entries(Path(sys.argv[1]), [OutcomeEntry(retraction=taken)])\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(folder), name]) for name in "ab"]
    assert [one.wait(60) for one in both] == [0, 0]
    found = read_outcomes(folder)
    assert not found.problems
    assert {entry.retraction.case for entry in found.history} == {f"{name}{i}" for name in "ab" for i in range(40)}


def test_a_new_panel_does_not_write_over_outcomes(live, folder, fitted, fresh):
    confirm_all(live, fresh[:1])
    with pytest.raises(PanelError, match="holds confirmed outcomes"):
        fitted.save(folder)
    assert len(read_outcomes(folder).standing) == 1


# -- learning -----------------------------------------------------------------------------------------------------


def test_an_agent_without_second_looks_stays_so_when_trust_is_learned_again(live, folder, fresh):
    confirm_all(live, fresh)
    saved = read_panel(folder, None)
    arbiter = replace(saved.arbiter, first_looks_only={"logistic": "0 of 20 second looks answered (length): so"})
    assert not arbiter.looks_again("logistic")
    assert arbiter.looks_again("neighbours")
    again = relearn(saved.with_trust(replace(saved.trust, arbiter=arbiter))).after.arbiter
    assert again.first_looks_only == arbiter.first_looks_only
    assert "logistic takes no second look: 0 of 20 second looks answered (length): so" in again.warnings
    assert type(again).load(again.dump(), again.profiles).first_looks_only == arbiter.first_looks_only


def test_trust_is_learned_again_and_can_be_gone_back_to(live, folder, fresh, quick, tmp_path):
    before = {p: p.read_bytes() for p in folder.rglob("*.json*") if p.name != FILE}
    old = live.diagnose(fresh[0][0].case.path)
    confirm_all(live, fresh)
    about = live.relearn()
    assert (about.version, about.parent, about.outcomes, about.selected) == (2, 1, 12, 0)
    profiles = {p.agent: p for p in live.profiles}
    assert {(p.n, p.version) for p in profiles.values()} == {(27, 2)}
    assert profiles["panel"].created == about.created
    assert profiles["panel"].learned_from.startswith("calibration split of 15 cases and 12 confirmed outcomes (20")
    assert live.diagnose(fresh[0][0].case.path).trust_version == live.trust_version == 2

    with Panel.load(folder, settings=quick) as again:
        assert again.profiles == live.profiles
        assert again.notes[0] == f"trust was learned from {about.learned_from}"
        assert again.diagnose(fresh[0][0].case.path).posterior == live.diagnose(fresh[0][0].case.path).posterior
    assert versions(folder) == (1, 2)
    changed = [p.name for p, data in before.items() if "index" not in p.parts and p.read_bytes() != data]
    assert changed == ["trust.json"]  # the fitted trust still lies there as it was

    use_version(folder, 1)
    with Panel.load(folder, settings=quick) as back:
        new = back.diagnose(fresh[0][0].case.path)
        assert (new.posterior, new.trust_version) == (old.posterior, 1)
    with pytest.raises(PanelError, match="no version 3 of its trust; there are: 1, 2"):
        read_panel(folder, quick, version=3)


def test_what_was_learned_grades_nobody(live, folder, fresh, quick):
    """An outcome is unseen until it is learned from, and another picture of its group is no witness."""
    grouped = [
        (v.model_copy(update={"case": v.case.model_copy(update={"group": f"g{i // 2}"})}), label)
        for i, (v, label) in enumerate(fresh)
    ]
    confirm_all(live, grouped[:5])
    saved = read_panel(folder, quick)
    assert [o.group for o in unseen_outcomes(saved)] == ["g0", "g1", "g2"]
    live.relearn()
    confirm_all(live, grouped[5:])
    saved = read_panel(folder, quick)
    assert [o.group for o in unseen_outcomes(saved)] == ["g3", "g4", "g5"]


def test_selected_outcomes_are_left_out_unless_asked_for(live, fresh):
    confirm_all(live, fresh[:8], sampling="selected")
    with pytest.raises(PanelError, match="8 outcomes are of selected cases, which are no sample"):
        live.relearn()
    confirm_all(live, fresh[8:])
    assert live.relearn().outcomes == 4
    assert not any("selected" in w for p in live.profiles for w in p.warnings)
    about = live.relearn(include_selected=True)
    assert (about.version, about.outcomes, about.selected) == (3, 12, 8)
    assert about.learned_from.endswith("; 8 of them selected)")
    assert all("8 of 12 outcomes were selected" in p.warnings[-1] for p in live.profiles)


def test_there_must_be_something_new_to_learn(live, fresh):
    with pytest.raises(PanelError, match="no outcome that its trust was not learned from"):
        live.relearn()
    confirm_all(live, fresh[:3])
    live.relearn()
    with pytest.raises(PanelError, match="no outcome that its trust was not learned from"):
        live.relearn()


def test_a_rehearsal_writes_nothing(live, folder, fresh, quick):
    confirm_all(live, fresh)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    saved = read_panel(folder, quick)
    new = relearn(saved)
    found = compare(graded(saved, new.after.outcomes), graded(saved.with_trust(new.after)), ("1", "2"), draws=50)
    assert found.paired
    assert found.first_n == 27
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_an_update_that_fails_changes_nothing(live, folder, fresh):
    confirm_all(live, fresh)
    (folder / "trust" / "v2").write_text("in the way")
    before = (folder / "trust.json").read_bytes()
    with pytest.raises(PanelError, match="v2 does not belong to the panel"):
        live.relearn()
    assert live.trust_version == 1
    assert (folder / "trust.json").read_bytes() == before


def test_what_an_update_that_was_killed_left_is_replaced_by_the_next(live, folder, fresh, quick):
    confirm_all(live, fresh)
    trust = folder / "trust"
    (trust / "v2").mkdir()  # killed before the pointer was replaced
    (trust / "v2" / "arbiter.json").write_text("half")
    (trust / ".v2.draft-abcdefgh").mkdir()  # killed before the version was moved into place
    (folder / ".trust.json.part-77").write_text("half")
    Panel.load(folder, settings=quick).close()
    assert live.relearn().version == 2
    with Panel.load(folder, settings=quick) as later:
        assert later.trust_version == 2
    assert not [one for one in trust.iterdir() if one.name.startswith(".")]
    assert not list(folder.glob(".trust*"))


def test_who_learned_from_an_older_state_is_told_and_changes_nothing(live, folder, fresh, quick):
    confirm_all(live, fresh)
    with Panel.load(folder, settings=quick) as other:
        live.relearn()
        with pytest.raises(PanelError, match="another process has just written version 2 of the trust"):
            other.relearn()
    assert versions(folder) == (1, 2)


# -- watching -----------------------------------------------------------------------------------------------------


def test_an_alarm_stands_in_every_verdict_until_trust_is_learned_again(live, folder, fresh, quick, tmp_path):
    verdict = fresh[0][0]
    wrong = next(name for name in NAMES if name != verdict.label)
    assert not live.alarms
    for i in range(25):  # the same picture under other names: a stream on which the panel is always wrong
        other = verdict.case.model_copy(update={"id": f"{i:064x}"})
        live.confirm(verdict.model_copy(update={"case": other}), wrong, sampling="all", archive=False)
    with Panel.load(folder, settings=quick) as later:
        assert {(d.agent, d.kind) for d in later.alarms} >= {("panel", "accuracy"), ("panel", "calibration")}
        (warning,) = later.diagnose(verdict.case.path).warnings
        assert warning.startswith("trust is out of date: outcomes show drift of logistic, neighbours, panel")
        later.relearn()
        assert not later.alarms
        assert not later.diagnose(verdict.case.path).warnings


def test_good_outcomes_raise_no_alarm(live, folder, fresh, quick):
    confirm_all(live, fresh)
    found = drifts(read_panel(folder, quick))
    assert len(found) == 6  # two agents and the panel, calibration and accuracy
    assert {d.n for d in found} == {12}
    assert not any(d.alarm for d in found)
    assert {d.threshold for d in found} == {600}


# -- older panels -------------------------------------------------------------------------------------------------


def test_a_panel_that_kept_no_readings_loads_and_says_what_it_lacks(live, folder, fresh, quick):
    (folder / "readings.jsonl").unlink()
    reseal(folder)
    with Panel.load(folder, settings=quick) as panel:
        panel.confirm(*fresh[0], sampling="all")
        assert panel.alarms == ()
        with pytest.raises(PanelError, match=r"keeps no readings .*fit again to keep them"):
            panel.relearn()
    assert "before calibration" in draw_trust(read_panel(folder, quick)).lower()


def test_damaged_readings_are_an_error_that_names_the_file(folder, quick):
    (folder / "readings.jsonl").write_text("{}\n")
    reseal(folder)
    with pytest.raises(PanelError, match=r"readings.jsonl is damaged.*fit it again"):
        relearn(read_panel(folder, quick))


# -- drawing ------------------------------------------------------------------------------------------------------


def test_agents_are_drawn_as_stated_and_after_calibration(live, folder, fresh, quick, saved):
    confirm_all(live, fresh)
    drawn = draw_trust(read_panel(folder, quick))
    for title in (
        "logistic · before calibration",
        "logistic · after calibration",
        "panel · calibration images",
        "panel · confirmed outcomes",
    ):
        assert svg.clean(title) in drawn
    again = draw_trust(read_panel(saved, quick))
    assert "panel · confirmed outcomes" not in again
    assert "discriminant, second look · after" in again or "second look" not in again
