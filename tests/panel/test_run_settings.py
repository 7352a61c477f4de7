"""Every setting that this machine names is taken over by a loaded panel, or told to be unused."""

from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from doubleread.core.authority import FIT, RUN, scope
from doubleread.core.errors import StoreError, UnknownPart
from doubleread.core.notices import DoublereadWarning
from doubleread.core.task import Task
from doubleread.panel import Panel
from doubleread.panel._run_settings import run_settings, unused_settings
from doubleread.panel.consent import asks_of
from doubleread.panel.panel_folder import read_panel
from doubleread.settings import Settings, default_toml, load_settings, section_of
from doubleread.settings_sections import Section

REQUIRED = {
    "encoders": {"name": "auto"},
    "vlm": {"model": "m"},
    "reasoner": {"model": "m"},
    "talk": {"model": "m"},
    "recorded": {"file": "answers.jsonl"},
    "prices": {"input": 1, "output": 1},
}
NAMED = {name: {"one": values} for name, values in REQUIRED.items()}
CANDIDATES: tuple[Any, ...] = (
    *(True, 1, 2, 3, 0.25, 0.75, 64, 4000, "other", "http://localhost:9/v1", "postgresql://ann@db.example.org/s"),
    *(("logistic",), {"seed": 1}, {"input": 2, "output": 2}, {"key": "x"}, "2026-01-01"),
)


def leaves():
    for name, field in Settings.model_fields.items():
        for key, one in section_of(field).model_fields.items():
            yield pytest.param(name, key, scope(one, field), id=f"{name}.{key}")


def another(name: str, key: str) -> Any:
    """A value that a setting may have, other than the one it has in ``fitted``."""
    section = section_of(Settings.model_fields[name])
    annotation = section.model_fields[key].annotation
    options = [o for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal for o in get_args(part)]
    before = getattr(section.model_validate(REQUIRED.get(name, {})), key)
    for value in (*options, *CANDIDATES):
        try:
            found = getattr(section.model_validate({**REQUIRED.get(name, {}), key: value}), key)
        except ValidationError:
            continue
        if found != before and found not in ("", None):
            return value
    raise AssertionError(f"no other value of {name}.{key} is known here")


@pytest.mark.parametrize(("name", "key", "when"), list(leaves()))
def test_every_setting_is_taken_over_or_told(name, key, when):
    assert when in (FIT, RUN) or when.name == "run", "it declares no scope, and its table neither"
    fitted = load_settings(None, NAMED)
    table = {**REQUIRED.get(name, {}), key: another(name, key)}
    if when.along:
        table[when.along] = another(name, when.along)
    now = load_settings(None, {name: {"one": table} if name in REQUIRED else table})
    running = run_settings(fitted, now)
    found, stated = (getattr(one, name) for one in (running, now))
    if name in REQUIRED:
        found, stated, name = found["one"], stated["one"], f"{name}.one"
    assert (getattr(found, key) == getattr(stated, key)) == (when.name == "run")
    told = [line for line in unused_settings(running, fitted, now) if line.startswith(f"{name}.{key} = ")]
    assert len(told) == (when.name == "fit")


def test_what_is_not_named_stays_as_it_was_fitted():
    fitted = load_settings(None, {"panel": {"agent_timeout_s": 5}, "retrieval": {"store": "exact"}, **NAMED})
    running = run_settings(fitted, load_settings())
    assert running.panel == fitted.panel
    assert running.retrieval == fitted.retrieval
    assert unused_settings(running, fitted, load_settings()) == ()


def test_an_empty_text_names_nothing(tmp_path):
    (tmp_path / "all.toml").write_text(default_toml())
    here = load_settings(tmp_path / "all.toml")
    fitted = load_settings(None, {"retrieval": {"url": "http://cases:8000", "collection": "leaves"}})
    running = run_settings(fitted, here)
    assert (running.retrieval.url, running.retrieval.collection) == ("http://cases:8000", "leaves")


def test_a_collection_goes_with_its_server():
    fitted = load_settings(None, {"retrieval": {"url": "http://cases:8000", "collection": "leaves"}})
    elsewhere = load_settings(None, {"retrieval": {"url": "http://here:8000"}})
    running = run_settings(fitted, elsewhere)
    assert (running.retrieval.url, running.retrieval.collection) == ("http://here:8000", "cases")
    alone = load_settings(None, {"retrieval": {"collection": "mine"}})
    (told,) = unused_settings(run_settings(fitted, alone), fitted, alone)
    assert told == "retrieval.collection = 'mine' is not used: it counts only beside retrieval.url"


def test_a_setting_that_is_added_needs_no_second_list():
    class New(Section):
        pace: Annotated[int, RUN] = 1
        depth: Annotated[int, FIT] = 1

    class More(Settings):
        new: New = New()

    now = More(new={"pace": 2, "depth": 2})
    running = run_settings(More(), now)
    assert isinstance(running, BaseModel)
    assert running.new == New(pace=2, depth=1)
    assert unused_settings(running, More(), now) == (
        "new.depth = 2 is not used: the panel was fitted with 1, and keeps it until it is fitted again",
    )


def test_a_panel_runs_as_this_machine_says_and_tells_what_it_does_not_follow(made, quick):
    mine = quick.model_dump(mode="json")
    mine["panel"]["agent_timeout_s"] = 7.5
    mine["retrieval"]["store"] = "exact"
    mine["trust"]["coverage"] = 0.8
    here = load_settings(None, mine)
    told = "trust.coverage = 0.8 is not used: the panel was fitted with 0.9"
    with pytest.warns(DoublereadWarning, match=told):
        loaded = Panel.load(made, settings=here)
    with loaded as panel:
        assert panel.settings.panel.agent_timeout_s == 7.5
        assert panel.settings.retrieval.store == "exact"
        assert panel.settings.trust.coverage == 0.9
        assert sum(line.startswith(told) for line in panel.warnings) == 1
    assert read_panel(made, quick).unused == ()


def test_an_unknown_store_is_told_before_anything_is_loaded():
    named = load_settings(None, {"retrieval": {"store": "abacus"}})
    with pytest.raises(UnknownPart, match=r"unknown case store 'abacus'; known: chroma, chroma-server, exact"):
        Panel.fit([], Task.of("t", ["a", "b"]), settings=named)


def test_a_server_without_an_address_is_told(made, quick):
    here = load_settings(None, {**quick.model_dump(mode="json"), "retrieval": {"store": "chroma-server"}})
    with pytest.raises(StoreError, match=r"chroma-server needs an address: set retrieval\.url"):
        Panel.load(made, settings=here)


def test_a_panel_of_somebody_else_opens_no_other_store_unasked():
    fitted = load_settings(None, {"retrieval": {"store": "other-package"}})
    (ask,) = asks_of(fitted, load_settings())
    assert (ask.table, dict(ask.values)) == ("retrieval", {"store": "other-package"})
    assert asks_of(fitted, fitted) == ()
    assert asks_of(load_settings(None, {"retrieval": {"store": "exact"}}), load_settings()) == ()


def test_the_printed_file_tells_the_scope():
    lines = default_toml().splitlines()
    assert lines[lines.index("k = 10") - 1].endswith("(fit)")
    assert lines[lines.index("agent_timeout_s = 60.0") - 1].endswith("(run)")
