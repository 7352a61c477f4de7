"""A panel that was changed on disk, by accident or on purpose, is refused by name."""

import json
import os
import random
import shutil

import numpy as np
import pytest
from panel_kit import edited, reseal

from doubleread.core.errors import PanelError
from doubleread.panel import Panel
from doubleread.panel.outcomes import FILE as OUTCOMES
from doubleread.panel.panel_folder import read_panel
from doubleread.panel.panel_manifest import MANIFEST
from doubleread.panel.trust_folder import use_version
from doubleread.panel.trust_pointer import POINTER

FILES = (
    *("panel.json", "arbiter.json", "readings.jsonl", "reference.npz", MANIFEST, POINTER),
    *("trust/logistic-round1.json", "trust/panel-round1.json", "agents/logistic.json", "agents/logistic.npz"),
)


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the panel that may be spoilt."""
    return shutil.copytree(made, tmp_path / "panel")


def flipped(data, rng):
    spot = rng.randrange(len(data))
    return data[:spot] + bytes([data[spot] ^ 1 << rng.randrange(8)]) + data[spot + 1 :]


def another_digit(data, rng):
    spots = [i for i, one in enumerate(data) if chr(one).isdigit()]
    spot = rng.choice(spots or [0])
    return data[:spot] + str((data[spot] - 47) % 10).encode() + data[spot + 1 :]


def zeroed(data, rng):
    start = rng.randrange(len(data))
    return data[:start] + b"\0" * len(data[start : start + 64]) + data[start + 64 :]


def truncated(data, rng):
    return data[: rng.randrange(len(data))]


def doubled(data, rng):
    start = rng.randrange(len(data))
    return data[: start + 40] + data[start:]


def longer(data, rng):
    return data + b"}"


def emptied(data, rng):
    return b""


MUTATIONS = (flipped, another_digit, zeroed, truncated, doubled, longer, emptied)


@pytest.mark.parametrize("name", FILES)
def test_every_mutation_of_every_file_is_refused_by_name(folder, quick, name):
    whole, rng = (folder / name).read_bytes(), random.Random(name)
    for mutate in MUTATIONS * 3:
        data = mutate(whole, rng)
        if data == whole:
            continue
        (folder / name).write_bytes(data)
        with pytest.raises(PanelError, match=r"fit it again") as told:
            read_panel(folder, quick)
        assert "\n" not in str(told.value), mutate
    (folder / name).write_bytes(whole)
    assert read_panel(folder, quick).trust.version == 1


@pytest.mark.parametrize("name", FILES)
def test_pipes_devices_links_and_folders_are_refused_at_once(folder, quick, tmp_path, name):
    whole = (folder / name).read_bytes()
    (tmp_path / "same").write_bytes(whole)
    (tmp_path / "secret").write_text('{"secret": "hunter2"}')
    path = folder / name
    makers = (
        os.mkfifo,
        lambda at: at.symlink_to("/dev/zero"),
        lambda at: at.symlink_to(tmp_path / "same"),
        lambda at: at.symlink_to(tmp_path / "secret"),
        lambda at: at.symlink_to(at),
        lambda at: at.mkdir(),
    )
    for make in makers:
        path.unlink()
        make(path)
        with pytest.raises(PanelError) as told:
            read_panel(folder, quick)
        assert "hunter2" not in str(told.value)
        assert "\n" not in str(told.value)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        path.write_bytes(whole)


def test_names_that_lead_out_of_the_folder_are_refused_unread(folder, quick, tmp_path):
    (tmp_path / "secret.json").write_text('{"secret": "hunter2"}')
    for name in ("../../secret.json", str(tmp_path / "secret.json"), "..\\secret.json"):
        edited(folder, "panel.json", lambda data, name=name: data.update(trust=[name]))
        with pytest.raises(PanelError, match=r"secret\.json") as told:
            read_panel(folder, quick)
        assert "hunter2" not in str(told.value)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../secret.json"] = manifest["files"]["arbiter.json"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(PanelError, match=MANIFEST):
        read_panel(folder, quick)


def test_a_folder_that_lies_elsewhere_is_refused(folder, quick, tmp_path):
    shutil.move(folder / "agents", tmp_path / "agents")
    (folder / "agents").symlink_to(tmp_path / "agents")
    with pytest.raises(PanelError, match="is a link to a place outside"):
        read_panel(folder, quick)


ODD = (1e308, -1, 10**29, "x", None, [], {}, [[[]]], True, [1e308, -1e308], "a\nb")


@pytest.mark.parametrize("file", ["panel.json", "arbiter.json", "trust/panel-round1.json", "agents/logistic.json"])
def test_odd_values_in_a_folder_that_agrees_with_its_manifest_never_raise_anything_else(made, quick, tmp_path, file):
    """The folder loads and can be used, or one line says why not."""
    rng = random.Random(file)
    keys = [key for key in json.loads((made / file).read_text()) if key != "settings"]
    for i in range(12):
        folder = shutil.copytree(made, tmp_path / f"{i}")
        key, value = rng.choice(keys), rng.choice(ODD)
        edited(folder, file, lambda data, key=key, value=value: data.update({key: value}))
        try:
            saved = read_panel(folder, quick)
        except PanelError as error:
            lines = str(error).count("\n")
        else:
            lines = saved.arbiter.agents != ("logistic", "neighbours")
        assert not lines, (key, value)


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 6, "task": ' + "[" * 100_000,
        '{"format": 6, "dim": ' + "9" * 5000 + "}",
        '{"format": 1e999}',
        "[]",
        "",
    ],
)
def test_deep_long_and_endless_numbers_are_one_line(folder, quick, text):
    (folder / "panel.json").write_text(text)
    reseal(folder)
    with pytest.raises(PanelError, match=r"panel.json.*fit it again") as told:
        read_panel(folder, quick)
    assert len(str(told.value)) < 1000


def arrays(change):
    def damage(path):
        with np.load(path) as found:
            data = dict(found)
        change(data)
        with path.open("wb") as file:
            np.savez(file, **data)

    return damage


@pytest.mark.parametrize("name", ["agents/logistic.npz", "reference.npz"])
@pytest.mark.parametrize(
    "damage",
    [
        arrays(lambda data: data.clear()),
        arrays(
            lambda data: data.update({name: value * np.nan for name, value in data.items() if value.dtype.kind == "f"})
        ),
        arrays(lambda data: data.update(dict.fromkeys(data, np.array([{"a": 1}], dtype=object)))),
        lambda path: path.write_bytes(b"PK\x03\x04" + bytes(500)),
    ],
)
def test_odd_arrays_are_refused(folder, quick, name, damage):
    damage(folder / name)
    reseal(folder)
    with pytest.raises(PanelError, match=r"logistic|reference"):
        Panel.load(folder, settings=quick)


@pytest.mark.parametrize(
    "change", [{"said": np.zeros(3, np.int64)}, {"embeddings": np.zeros(4)}, {"fences": np.zeros(1)}]
)
def test_a_reference_whose_parts_do_not_fit_is_refused(folder, quick, change):
    arrays(lambda data: data.update(change))(folder / "reference.npz")
    reseal(folder)
    with pytest.raises(PanelError, match=r"fit it again"):
        read_panel(folder, quick)


# -- versions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def second(folder, quick, tmp_path):
    """The panel with a second version of its trust that counts."""
    from kit import photo

    with Panel.load(folder, settings=quick) as panel:
        for i in range(4):
            verdict = panel.diagnose(photo(tmp_path / f"{i}.png", i % 3, seed=8000 + i))
            panel.confirm(verdict, ("blue", "green", "red")[i % 3], sampling="all", archive=False)
        panel.relearn()
    return folder


def test_a_damaged_version_is_refused_and_the_others_stay(second, quick):
    home, rng = second / "trust" / "v2", random.Random(3)
    for path in (home / "arbiter.json", home / "outcomes.jsonl", home / "version.json", home / MANIFEST):
        whole = path.read_bytes()
        for mutate in MUTATIONS:
            path.write_bytes(mutate(whole, rng))
            with pytest.raises(PanelError, match=path.name):
                read_panel(second, quick)
            assert read_panel(second, quick, 1).trust.version == 1
        path.write_bytes(whole)
    assert read_panel(second, quick).trust.version == 2


def test_no_digit_of_the_pointer_makes_another_version_count(second, quick):
    whole = (second / POINTER).read_text()
    for changed in (whole.replace('"version": 2', '"version": 1'), whole.replace('"version": 2', '"version": 3')):
        (second / POINTER).write_text(changed)
        with pytest.raises(PanelError, match=r"trust\.json has changed"):
            read_panel(second, quick)
    (second / POINTER).write_text(whole)
    use_version(second, 1)
    assert read_panel(second, quick).trust.version == 1


def test_damaged_outcomes_are_told_in_every_verdict_and_nothing_is_learned_from_them(second, quick, dataset):
    data = (second / OUTCOMES).read_bytes()
    (second / OUTCOMES).write_bytes(data.replace(b'"label":"blue"', b'"label":"red"', 1))
    with Panel.load(second, settings=quick) as panel:
        warning = panel.diagnose(dataset.cases[0]).warnings[-1]
        assert warning.startswith("confirmed outcomes cannot be read, so drift would not be noticed")
        assert "line 1 is damaged" in warning
        with pytest.raises(PanelError, match="line 1 is damaged"):
            panel.relearn()
