"""The front door, with the real encoder on small photographs: fit, save, load, diagnose."""

import asyncio
import contextlib
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest
from kit import photo
from panel_kit import edited
from PIL import Image

import doubleread
from doubleread.agents.logistic import Logistic
from doubleread.core.case import Case
from doubleread.core.errors import (
    DataError,
    DoublereadError,
    EncoderMismatch,
    ImageError,
    PanelError,
    StoreError,
    TaskError,
    UnknownPart,
)
from doubleread.core.task import Task
from doubleread.core.verdict import Unread, Verdict
from doubleread.panel import Panel
from doubleread.settings import load_settings


def brighter(path):
    """The picture in other bytes, a little brighter."""
    buffer = io.BytesIO()
    Image.open(path).point(lambda value: min(255, value + 12)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def unseen(dataset):
    """Pictures of split ``test``."""
    return [case for case in dataset.cases if case.source[-6:-4] in ("08", "09")]


@pytest.fixture
def copy(saved, tmp_path):
    """A copy of the panel's folder, to be spoilt."""
    return shutil.copytree(saved, tmp_path / "copy")


def changed(settings, **sections):
    """The settings with some of them changed."""
    data = settings.model_dump(mode="json")
    return load_settings(None, {name: {**data[name], **sections.get(name, {})} for name in data})


def same(one, two):
    assert two.posterior == pytest.approx(one.posterior, abs=1e-9)
    assert (two.decision.action, two.prediction_set, two.track) == (one.decision.action, one.prediction_set, one.track)


# -- fitting ------------------------------------------------------------------------------------------------------


def test_cross_fitting_judges_every_case_by_agents_that_had_not_seen_it(fitted, unseen):
    trust = {p.agent: p for p in fitted.profiles if p.round == 1}
    assert set(trust) == {"discriminant", "logistic", "neighbours", "texture", "panel"}
    assert {p.n for p in trust.values()} == {24}
    assert "cross-validation in 3 folds" in trust["panel"].learned_from
    assert f"{len(unseen)} test images were not used" in fitted.notes
    assert any("no groups given" in line for line in fitted.warnings)


def test_a_panel_reads_unseen_pictures(panel, unseen):
    verdicts = list(panel.diagnose_many(unseen))
    assert sum(v.label == case.label for v, case in zip(verdicts, unseen, strict=True)) >= 5
    for verdict in verdicts:
        assert sum(verdict.posterior.values()) == pytest.approx(1)
        assert all(0 <= moved <= 1 for moved in verdict.influence.values())
        assert not verdict.abstentions
        assert not verdict.warnings


def test_an_agent_that_can_never_answer_is_left_out_and_said_so(panel):
    assert "zero-shot" in panel.settings.panel.agents
    assert "zero-shot" not in panel.agents
    assert "it gave no answer on any calibration image" in panel.left_out["zero-shot"]
    assert "this agent needs CLIP" in panel.left_out["zero-shot"]


def test_a_calibration_split_is_kept_apart(dataset, plain, tmp_path):
    cases = [c.model_copy(update={"split": "calibration" if i % 2 else "support"}) for i, c in enumerate(dataset.cases)]
    fewer = changed(plain, panel={"agents": ("logistic", "neighbours")}, second_look={"max_rounds": 1})
    with Panel.fit(cases, dataset.task, settings=fewer) as panel:
        assert {p.n for p in panel.profiles} == {15}
        assert {p.learned_from for p in panel.profiles} == {"calibration split of 15 cases"}
        assert panel.save(tmp_path / "panel").is_dir()
        assert json.loads((tmp_path / "panel" / "panel.json").read_text())["support"] == 15
        assert panel.diagnose(cases[0]).warnings
        assert not panel.diagnose(cases[1]).warnings


def test_groups_stay_whole_in_cross_fitting(dataset, plain):
    """Groups of two pictures: a group never vouches for itself."""
    cases = [c.model_copy(update={"group": f"{c.label} {i // 2}"}) for i, c in enumerate(dataset.cases)]
    fewer = changed(plain, panel={"agents": ("neighbours",)}, second_look={"max_rounds": 1})
    with Panel.fit(cases, dataset.task, settings=fewer) as panel:
        assert panel.profiles[0].learned_from == "cross-validation in 3 folds, by group"
        seen = panel.diagnose(cases[0])
        assert cases[0].group not in {n.group for n in seen.evidence.neighbours}
        held = panel.hold(brighter(cases[0].path), cases[0])
        assert (held.group, held.label, held.path) == (cases[0].group, cases[0].label, None)
        assert held.id != cases[0].id
        assert cases[0].group not in {n.group for n in panel.diagnose(held).evidence.neighbours}


def test_a_label_of_a_single_group_cannot_be_judged(dataset, plain):
    cases = [c.model_copy(update={"group": "one plant" if c.label == "red" else c.id}) for c in dataset.cases]
    with pytest.raises(DataError, match=r"too few groups .*: red \(1\); every label needs cases from at least 2"):
        Panel.fit(cases, dataset.task, settings=plain)


def test_a_calibration_split_that_is_too_small_joins_the_support(dataset, plain):
    cases = [c.model_copy(update={"split": "calibration" if i < 9 else "support"}) for i, c in enumerate(dataset.cases)]
    fewer = changed(plain, panel={"agents": ("neighbours",)}, second_look={"max_rounds": 1})
    with Panel.fit(cases, dataset.task, settings=fewer) as panel:
        learned_from = panel.profiles[0].learned_from
        assert learned_from.startswith("cross-validation in 3 folds")
        assert "the calibration split is too small: green (0), red (0)" in learned_from
        assert panel.profiles[0].n == len(cases)


def test_the_same_picture_twice_counts_once(dataset, plain):
    fewer = changed(plain, panel={"agents": ("neighbours",)}, second_look={"max_rounds": 1})
    with Panel.fit([*dataset.cases, *dataset.cases], dataset.task, settings=fewer) as panel:
        assert panel.profiles[0].n == len(dataset.cases)
    other = dataset.cases[0].model_copy(update={"label": "red"})
    with pytest.raises(DataError, match="one picture with two labels, blue and red"):
        Panel.fit([*dataset.cases, other], dataset.task, settings=plain)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({}, r"blue \(0\), green \(0\), red \(0\)"),
        ({"blue": 10}, r"green \(0\), red \(0\)"),
        ({"blue": 10, "green": 10, "red": 1}, r"red \(1\); every label needs at least 2"),
    ],
)
def test_too_little_to_learn_from(dataset, plain, keep, message):
    left = Counter(keep)
    cases = []
    for case in dataset.cases:
        left[case.label] -= 1
        if left[case.label] >= 0:
            cases.append(case)
    with pytest.raises(DataError, match=message):
        Panel.fit(cases, dataset.task, settings=plain)


def test_a_handful_of_cases_is_enough_to_begin(dataset, settings, unseen):
    left = Counter({"blue": 3, "green": 3, "red": 3})
    cases = []
    for case in dataset.cases:
        left[case.label] -= 1
        if left[case.label] >= 0:
            cases.append(case)
    with Panel.fit(cases, dataset.task, settings=settings) as panel:
        verdict = panel.diagnose(unseen[0])
        assert verdict.prediction_set
        assert verdict.confidence < 0.99  # nine cases cannot vouch for more


def test_a_label_that_the_task_does_not_know(dataset, plain):
    with pytest.raises(TaskError, match="label 'blue' is not one of task 't': green, red"):
        Panel.fit(dataset.cases, Task.of("t", ["green", "red"]), settings=plain)


def test_a_panel_on_which_nobody_can_speak_is_refused(dataset, plain):
    mute = changed(plain, panel={"agents": ("zero-shot",)})
    with pytest.raises(DataError, match="no agent gave an opinion"):
        Panel.fit(dataset.cases, dataset.task, settings=mute)


def test_unreadable_pictures_are_left_out_and_named(dataset, plain, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(dataset.cases[0].path.read_bytes()[:200])
    cases = [*dataset.cases, Case.from_file(broken, label="red")]
    fewer = changed(plain, panel={"agents": ("neighbours",)}, second_look={"max_rounds": 1})
    with Panel.fit(cases, dataset.task, settings=fewer) as panel:
        assert [(row.source, row.code) for row in panel.unread] == [(str(broken), "corrupt")]


@pytest.mark.parametrize(
    "sections",
    [
        {"panel": {"agents": ("oracle",)}},
        {"fusion": {"rule": "oracle"}},
        {"trust": {"calibrator": "oracle"}},
        {"encoder": {"name": "oracle"}},
    ],
)
def test_unknown_names_are_found_before_anything_is_loaded(settings, sections):
    with pytest.raises(UnknownPart, match=r"unknown .* 'oracle'; known: "):
        Panel.fit([], Task.of("t", ["a", "b"]), settings=changed(settings, **sections))


def test_unknown_names_cost_no_heavy_import():
    code = (
        "import sys, doubleread as d\n"
        "try: d.Panel.fit([], d.Task.of('t', 'ab'), settings=d.load_settings(None, {'panel': {'agents': ('x',)}}))\n"
        "except d.DoublereadError as e: print(e)\n"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[0].startswith("unknown agent 'x'; known: discriminant")
    assert found.stdout.splitlines()[1] == "False"


def test_an_agent_cannot_sit_twice(settings):
    twice = changed(settings, panel={"agents": ("logistic", "logistic")})
    with pytest.raises(PanelError, match="names an agent twice"):
        Panel.fit([], Task.of("t", ["a", "b"]), settings=twice)


def test_other_rules_and_calibrators_take_their_turn(dataset, settings, unseen):
    parts = {"fusion": {"rule": "stacking"}, "trust": {"calibrator": "beta"}, "retrieval": {"store": "exact"}}
    once = {"panel": {"agents": ("logistic", "neighbours")}, "second_look": {"max_rounds": 1}}
    with Panel.fit(dataset.cases, dataset.task, settings=changed(settings, **parts, **once)) as panel:
        assert {p.calibrator["kind"] for p in panel.profiles if p.agent != "panel"} == {"beta"}
        assert panel.diagnose(unseen[0]).label == unseen[0].label


# -- saving and loading -------------------------------------------------------------------------------------------


def test_a_loaded_panel_says_the_same(fitted, panel, unseen):
    for case in unseen[::2]:
        same(fitted.diagnose(case), panel.diagnose(case))
    assert panel.task == fitted.task
    assert {(p.agent, p.round) for p in panel.profiles} == {(p.agent, p.round) for p in fitted.profiles}


def test_a_panel_folder_holds_json_arrays_and_the_store_only(saved):
    for path in sorted(p for p in saved.rglob("*") if p.is_file()):
        part = path.relative_to(saved)
        if part.parts[0] == "store":
            continue
        if path.suffix in (".json", ".jsonl"):
            texts = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            assert all(isinstance(json.loads(text), dict) for text in texts)
        else:
            with np.load(path, allow_pickle=False) as arrays:
                assert all(array.dtype != object for array in arrays.values())
    assert {p.name for p in saved.iterdir()} == {
        *("panel.json", "arbiter.json", "readings.jsonl", "reference.npz", "trust", "agents", "store"),
        *("manifest.json", "trust.json"),
    }
    assert [p.name for p in saved.parent.iterdir()] == ["panel"]


def test_a_panel_folder_can_be_moved(saved, settings, panel, unseen, tmp_path):
    moved = shutil.move(shutil.copytree(saved, tmp_path / "here"), tmp_path / "there" / "deep")
    with Panel.load(moved, settings=settings) as again:
        same(panel.diagnose(unseen[0]), again.diagnose(unseen[0]))


def test_several_panels_of_one_folder_side_by_side(saved, settings, panel, unseen):
    with Panel.load(saved, settings=settings) as second:
        same(panel.diagnose(unseen[0]), second.diagnose(unseen[0]))
    same(panel.diagnose(unseen[1]), panel.diagnose(unseen[1]))  # the other's closing took nothing away


def test_a_panel_of_another_process_reads_the_same_folder(saved, settings, panel, unseen):
    code = (
        "import sys, doubleread as d\n"
        "s = d.load_settings(None, {'encoder': {'cache_dir': sys.argv[3]}})\n"
        "p = d.Panel.load(sys.argv[1], settings=s)\n"
        "print(p.diagnose(sys.argv[2]).model_dump_json())"  # and it ends, although nobody closed the panel
    )
    arguments = [str(saved), str(unseen[0].path), settings.encoder.cache_dir]
    found = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=600
    )
    same(panel.diagnose(unseen[0]), Verdict.model_validate_json(found.stdout))


def test_saving_again_replaces_the_panel(fitted, copy, settings, unseen):
    (copy / "arbiter.json").write_text("spoilt")
    fitted.save(copy)
    with Panel.load(copy, settings=settings) as again:
        same(fitted.diagnose(unseen[0]), again.diagnose(unseen[0]))
    assert [p.name for p in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("with_mark", [False, True])
def test_a_folder_of_something_else_is_left_alone(fitted, tmp_path, with_mark):
    (tmp_path / "thesis.txt").write_text("three years of work")
    if with_mark:
        (tmp_path / "panel.json").write_text("{}")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(PanelError, match=r"holds something else .*thesis.txt.*; choose an empty or new folder"):
        fitted.save(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"


def test_a_file_or_a_closed_place_cannot_take_a_panel(fitted, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PanelError, match="is a file"):
        fitted.save(tmp_path / "file")
    with pytest.raises(PanelError, match=r"panel cannot be written.*nothing was written"):
        fitted.save(tmp_path / "file" / "panel")


class Forgetful(Logistic):
    """Fails when it is asked what it had learned."""

    name = "forgetful"

    def state(self):
        raise RuntimeError("it slipped my mind")


def test_an_interrupted_save_leaves_nothing_behind(dataset, plain, tmp_path):
    fewer = changed(plain, panel={"agents": ("logistic",)}, second_look={"max_rounds": 1})
    with Panel.fit(dataset.cases, dataset.task, settings=fewer) as panel:
        first = panel.save(tmp_path / "panel")
        before = {p: p.read_bytes() for p in sorted(first.rglob("*")) if p.is_file()}
        panel._fitted.seated.agents["logistic"].__class__ = Forgetful
        with pytest.raises(RuntimeError, match="slipped"):
            panel.save(first)
        with pytest.raises(RuntimeError, match="slipped"):
            panel.save(tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["panel"]
    assert {p: p.read_bytes() for p in sorted(first.rglob("*")) if p.is_file()} == before


def test_a_loaded_panel_is_copied_not_saved(panel, tmp_path):
    with pytest.raises(PanelError, match="copy that folder"):
        panel.save(tmp_path / "x")


def put(text):
    return lambda file: file.write_text(text)


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file):
    file.write_bytes(b"")


def remove(file):
    shutil.rmtree(file) if file.is_dir() else file.unlink()


CHANGED = "has changed since it was written, or is damaged; copy the panel again, or fit it again"
GONE = "is missing; copy the panel again, or fit it again"


def relabelled(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("update cases set label = (select min(label) from cases)")


@pytest.mark.parametrize(
    ("name", "damage", "error", "message"),
    [
        ("panel.json", remove, PanelError, "holds no panel .*doubleread fit"),
        ("panel.json", cut, PanelError, "is not JSON that can be read.*fit it again"),
        ("panel.json", put("[]"), PanelError, "JSON object.*fit it again"),
        ("panel.json", put('{"format": 99}'), PanelError, "format 99; this doubleread reads format 6: fit it again"),
        ("panel.json", put('{"format": 6}'), PanelError, f"panel.json {CHANGED}"),
        ("arbiter.json", remove, PanelError, f"arbiter.json {GONE}"),
        ("arbiter.json", put("{}"), PanelError, f"arbiter.json {CHANGED}"),
        ("trust/logistic-round1.json", put("{}"), PanelError, f"logistic-round1.json {CHANGED}"),
        ("trust/logistic-round1.json", remove, PanelError, f"logistic-round1.json {GONE}"),
        ("agents/logistic.npz", remove, PanelError, f"logistic.npz {GONE}"),
        ("agents/logistic.npz", cut, PanelError, f"logistic.npz {CHANGED}"),
        ("agents/logistic.npz", empty, PanelError, f"logistic.npz {CHANGED}"),
        ("agents/logistic.json", put("{}"), PanelError, f"logistic.json {CHANGED}"),
        ("agents", remove, PanelError, GONE),
        ("agents/other.npz", put("x"), PanelError, "other.npz does not belong to the panel: remove it"),
        ("manifest.json", remove, PanelError, GONE),
        ("manifest.json", put('{"files": {}}'), PanelError, f"manifest.json {CHANGED}"),
        ("trust.json", remove, PanelError, f"trust.json {GONE}"),
        ("trust.json", put("{}"), PanelError, "trust.json is damaged.*fit it again"),
        ("store", remove, StoreError, "no archive"),
        ("store/archive.sqlite3", cut, StoreError, "restore it from a backup"),
        ("store/archive.sqlite3", relabelled, StoreError, "is not what was stored.*cases audit"),
    ],
)
def test_a_damaged_folder_is_an_error_that_says_what_to_do(copy, settings, name, damage, error, message):
    damage(copy / name)
    with pytest.raises(error, match=message):
        Panel.load(copy, settings=settings)
    remove(copy)  # nothing holds it any more


def test_another_archive_than_that_of_the_panel_is_refused(copy, made, settings):
    shutil.rmtree(copy / "store")
    shutil.copytree(made / "store", copy / "store")
    with pytest.raises(PanelError, match=r"store is not the archive that the panel was fitted with.*fit it again"):
        Panel.load(copy, settings=settings)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("arbiter.json", lambda d: d["first"].pop("rule")),
        ("arbiter.json", lambda d: d["first"]["rule"].update(kind="oracle")),
        ("arbiter.json", lambda d: d["first"].update(held_out=[])),
        ("arbiter.json", lambda d: d["task"].update(labels=[])),
        ("arbiter.json", lambda d: d.update(held_out=[1])),
        ("panel.json", lambda d: d["settings"].update(vibe={"a": 1})),
        ("panel.json", lambda d: d.update(encoder="clip")),
    ],
)
def test_contents_that_make_no_sense_are_damage(copy, settings, file, change):
    edited(copy, file, change)
    with pytest.raises(PanelError, match=r"damaged.*fit it again"):
        Panel.load(copy, settings=settings)


def test_another_encoder_is_a_mismatch(copy, settings):
    edited(copy, "panel.json", lambda data: data.update(fingerprint="0123456789abcdef"))
    with pytest.raises(EncoderMismatch, match=r"0123456789abcdef.*install the same weights or fit again"):
        Panel.load(copy, settings=settings)


def test_another_way_to_see_texture_is_a_mismatch(copy, settings):
    edited(copy, "panel.json", lambda data: data.update(sights={"texture": "colour-texture-0"}))
    with pytest.raises(EncoderMismatch, match=r"texture of colour-texture-0; here it is colour-texture-1"):
        Panel.load(copy, settings=settings)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(PanelError, match="holds no panel"):
        Panel.load(tmp_path / "nowhere")


# -- diagnosing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["path", "str", "bytes", "bytearray", "pil", "case"])
def test_every_way_to_give_an_image(panel, unseen, how):
    path = unseen[0].path
    data = path.read_bytes()
    image = Image.open(io.BytesIO(data))
    ways = {"path": path, "str": str(path), "bytes": data, "bytearray": bytearray(data), "pil": image}
    verdict = panel.diagnose(ways.get(how, unseen[0]))
    same(panel.diagnose(unseen[0]), verdict)
    assert isinstance(verdict, Verdict)


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "LA", "CMYK", "YCbCr", "HSV"])
def test_pil_images_of_every_eight_bit_mode(panel, mode):
    assert panel.diagnose(Image.new("RGB", (40, 40), "teal").convert(mode)).scores


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (Image.new("F", (40, 40)), "unreadable"),
        (Image.new("I;16", (40, 40)), "high-bit-depth"),
        (Image.new("RGB", (0, 40)), "unreadable"),
        (Image.new("RGB", (4, 4)), "too-small"),
        (np.zeros((40, 40, 3), np.uint8), "not-an-image"),
        (None, "not-an-image"),
        (b"", "empty"),
        ("no/such/file.png", "missing"),
        ("a\0b.png", "unreadable"),
        pytest.param("x" * 5000, "unreadable", id="a-long-name"),
        ("\udcff.png", "unreadable"),
        ("/", "unreadable"),
        ("/dev/zero", "unreadable"),
    ],
)
def test_what_is_no_image_is_an_image_error_and_never_stops_a_batch(panel, unseen, image, code):
    with pytest.raises(ImageError) as caught:
        panel.diagnose(image)
    assert caught.value.code == code
    first, second = panel.diagnose_many([image, unseen[0]])
    assert (first.code, second.label) == (code, panel.diagnose(unseen[0]).label)
    assert Unread.model_validate_json(first.model_dump_json()) == first


@pytest.fixture
def bad_files(unseen, tmp_path):
    """Code → a file that is refused with it."""
    files = {
        name: tmp_path / f"{name}.png"
        for name in ("corrupt", "empty", "not-an-image", "high-bit-depth", "multi-frame", "missing")
    }
    files["corrupt"].write_bytes(unseen[0].path.read_bytes()[:-200])
    files["empty"].write_bytes(b"")
    files["not-an-image"].write_text("this is a text\n" * 20)
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(files["high-bit-depth"])
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(files["multi-frame"], "GIF", save_all=True, append_images=frames[1:])
    return files


def test_a_batch_keeps_its_order_and_goes_on_over_bad_images(panel, unseen, bad_files):
    images = [item for pair in zip(unseen, bad_files.values(), strict=True) for item in pair]
    results = list(panel.diagnose_many(images))
    assert [r.case.id for r in results[::2]] == [case.id for case in unseen]
    assert [r.code for r in results[1::2]] == list(bad_files)
    assert [r.source for r in results[1::2]] == [str(path) for path in bad_files.values()]
    assert all(r.problem for r in results[1::2])


def test_one_bad_image_raises(panel, bad_files):
    for code, path in bad_files.items():
        with pytest.raises(ImageError) as caught:
            panel.diagnose(path)
        assert caught.value.code == code


def test_more_images_than_fit_into_one_chunk(saved, settings, unseen):
    with Panel.load(saved, settings=changed(settings, run={"in_flight": 1})) as narrow:
        results = list(narrow.diagnose_many(unseen))
        assert [r.case.id for r in results] == [case.id for case in unseen]
        assert list(narrow.diagnose_many([])) == []


def test_a_batch_may_be_a_generator_and_is_taken_as_it_is_needed(saved, settings, unseen):
    taken = []

    def paths():
        for case in unseen:
            taken.append(case)
            yield case.path

    with Panel.load(saved, settings=changed(settings, run={"in_flight": 1})) as narrow:
        results = narrow.diagnose_many(paths())
        assert next(results).case.id == unseen[0].id
        assert len(taken) == 4
        assert [one.case.id for one in results] == [case.id for case in unseen[1:]]


def test_one_image_is_no_batch_and_a_folder_no_image(panel, unseen):
    for one in (str(unseen[0].path), unseen[0].path, unseen[0]):
        with pytest.raises(DataError, match="put it into a list"):
            list(panel.diagnose_many(one))
    folder = unseen[0].path.parent
    (result,) = panel.diagnose_many([folder])
    assert result.problem == f"{folder} is a folder: name its images, as in Path({str(folder)!r}).rglob('*.jpg')"


async def test_an_async_stream_is_read_while_the_next_image_is_waited_for(panel, unseen):
    first_is_read = asyncio.Event()

    async def paths():
        yield unseen[0].path
        await first_is_read.wait()
        yield unseen[1].path

    found = []
    async for place, result in panel.astream(paths()):
        found.append((place, result.case.id))
        first_is_read.set()
    assert found == [(0, unseen[0].id), (1, unseen[1].id)]


async def test_inside_a_running_loop_async_and_sync_agree(panel, unseen, bad_files):
    verdict = await panel.adiagnose(unseen[0])
    same(verdict, panel.diagnose(unseen[0]))  # as in a notebook: the loop runs, and the call blocks it
    images = [unseen[0], bad_files["empty"], unseen[1]]
    results = [result async for result in panel.adiagnose_many(images)]
    assert [type(r).__name__ for r in results] == ["ShownVerdict", "Unread", "ShownVerdict"]
    assert [r.case.id for r in panel.diagnose_many(images) if isinstance(r, Verdict)] == [c.id for c in unseen[:2]]
    with pytest.raises(ImageError):
        await panel.adiagnose(bad_files["empty"])


async def test_fitting_inside_a_running_loop(dataset, plain):
    fewer = changed(plain, panel={"agents": ("neighbours",)}, second_look={"max_rounds": 1})
    with Panel.fit(dataset.cases, dataset.task, settings=fewer) as panel:
        assert panel.profiles


def test_many_threads_share_a_panel(panel, unseen):
    results = {}
    threads = [
        threading.Thread(target=lambda i=i: results.update({i: panel.diagnose(unseen[i])})) for i in range(len(unseen))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[i].case.id for i in range(len(unseen))] == [case.id for case in unseen]


def test_a_case_of_the_panels_own_gets_a_warning(panel, dataset):
    assert panel.diagnose(dataset.cases[0]).warnings == (
        "this image is among the panel's own cases: no verdict on an unseen image",
    )


def test_the_evidence_shows_its_pictures(panel, unseen):
    assert all(n.path.is_file() for n in panel.diagnose(unseen[0]).evidence.neighbours)


def test_a_closed_panel_says_so(saved, settings, unseen):
    panel = Panel.load(saved, settings=settings)
    panel.diagnose(unseen[0])
    panel.close()
    panel.close()
    with pytest.raises(PanelError, match="was closed: load it again"):
        panel.diagnose(unseen[0])
    with pytest.raises(PanelError, match="was closed"):
        list(panel.diagnose_many(unseen))
    with pytest.raises(PanelError, match="was closed"):
        asyncio.run(panel.adiagnose(unseen[0]))


def test_a_panel_that_is_forgotten_is_closed(saved, settings, unseen):
    before = threading.active_count()
    Panel.load(saved, settings=settings).diagnose(unseen[0])
    assert threading.active_count() <= before


def test_the_public_names_load_on_first_use():
    assert {name: getattr(doubleread, name) for name in doubleread.__all__}["Panel"] is Panel
    with pytest.raises(AttributeError, match="no attribute 'panels'"):
        doubleread.panels  # noqa: B018


def test_a_new_picture_is_told_from_its_copy(panel, tmp_path):
    fresh = photo(tmp_path / "fresh.png", hue=2, seed=77)
    verdict = panel.diagnose(fresh)
    assert not verdict.warnings
    assert verdict.case.path == fresh
    assert issubclass(ImageError, DoublereadError)
