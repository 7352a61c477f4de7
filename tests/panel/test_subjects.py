"""A panel gives one verdict to several images of a subject, in calls, batches and evaluations."""

import asyncio
import json

import pytest
from kit import photo, unspaced
from typer.testing import CliRunner

from doubleread.cli.main import app
from doubleread.core.case import Case
from doubleread.core.errors import DataError, PanelError
from doubleread.core.notices import DoublereadWarning
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """Three new red pictures of one plant, one green of another, and a picture that was cut off."""
    folder = tmp_path_factory.mktemp("shots")
    for i in range(3):
        photo(folder / f"plant07-{i}.png", 2, seed=9000 + i)
    photo(folder / "plant08-0.png", 1, seed=9100)
    (folder / "plant07-x.png").write_bytes((folder / "plant07-0.png").read_bytes()[:300])
    return folder


def of_plant(shots):
    return [shots / f"plant07-{i}.png" for i in range(3)]


def in_pairs(cases):
    """The cases, with two neighbours a subject; they have no groups."""
    return [case.model_copy(update={"subject": f"{case.label} {i // 2}"}) for i, case in enumerate(cases)]


def test_one_image_gets_the_verdict_of_diagnose(panel, shots):
    single = panel.diagnose(shots / "plant07-0.png")
    whole = panel.pool([single], subject="plant 7")
    kept = set(Verdict.model_fields) - {"case", "shots"}
    assert panel.diagnose_subject([shots / "plant07-0.png"]).posterior == single.posterior
    assert {name: getattr(whole, name) for name in kept} == {name: getattr(single, name) for name in kept}
    assert whole.case.id == single.case.id


def test_several_images_make_one_card_and_keep_their_own_verdicts(panel, shots):
    whole = panel.diagnose_subject([*of_plant(shots), shots / "missing.png"], subject="plant 7")
    assert (whole.label, whole.images, len(whole.shots), len(whole.unread)) == ("red", 4, 3, 1)
    assert "plant 7 · 4 images" in str(whole)
    assert "all 3 images that count say red" in str(whole)
    assert "missing.png" in unspaced(whole.details)
    page = whole._repr_html_()
    assert page.count("<img") == 3
    assert "not read" in page


def test_a_panel_without_learned_pooling_says_so(panel, shots):
    whole = panel.diagnose_subject(of_plant(shots))
    assert whole.case.source == "plant07-0.png"
    assert any("was not learned" in line for line in whole.warnings)


def test_a_subject_in_async_code_and_from_cases(panel, shots):
    cases = [Case.from_file(path, subject="plant 7", label="red", group="bed 1") for path in of_plant(shots)]
    whole = asyncio.run(panel.adiagnose_subject(cases))
    assert (whole.case.subject, whole.case.label, whole.case.group) == ("plant 7", "red", "bed 1")
    assert whole.posterior == panel.diagnose_subject(cases).posterior


def test_a_subject_needs_an_image(panel):
    with pytest.raises(DataError, match="has no images"):
        panel.diagnose_subject([])


def test_a_subject_is_decided_again_like_an_image(panel, shots):
    whole = panel.diagnose_subject(of_plant(shots))
    free = panel.task.costs.model_copy(update={"referral": 0.0})
    assert panel.redecide(whole, costs=free).decision.action == "refer"
    assert panel.explain(whole).lines


def test_fitting_keeps_subjects_whole_and_says_that_there_are_too_few(dataset, quick, tmp_path):
    with pytest.warns(DoublereadWarning, match="how to combine images of one subject was not learned"):
        fitted = Panel.fit(in_pairs(dataset.cases), dataset.task, settings=quick)
    with fitted:
        fitted.save(tmp_path / "panel")
        rows = fitted._fitted.readings
    assert rows.groups == rows.subjects
    assert len(set(rows.subjects)) == 15
    with Panel.load(tmp_path / "panel", settings=quick) as loaded:
        assert loaded._arbiter.subjects == fitted._arbiter.subjects
        assert any("not learned" in line for line in loaded.warnings)


def test_what_is_about_one_image_is_not_answered_for_several(panel, shots):
    whole = panel.diagnose_subject(of_plant(shots))
    assert "a map is of one image" in " ".join(panel.attribute(whole).lines)
    assert panel.compare_batch([whole]).n == 3


def test_a_subject_is_confirmed_image_by_image(panel, shots):
    with pytest.raises(PanelError, match="confirm the label of each"):
        panel.confirm(panel.diagnose_subject(of_plant(shots)), "red")


def diagnosed(saved, shots, *more):
    return CliRunner().invoke(app, ["diagnose", str(shots), "--panel", str(saved), *more])


def test_the_command_prints_one_object_a_subject(saved, shots, panel):
    ended = diagnosed(saved, shots, "--subject", r"re:(plant\d+)", "--json")
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    assert ended.exit_code == 1  # an image could not be read
    assert [(one["case"]["subject"], len(one["shots"]), len(one["unread"])) for one in lines] == [
        ("plant07", 3, 1),
        ("plant08", 1, 0),
    ]
    assert not any(shot["leaning"] for one in lines for shot in one["shots"])


@pytest.mark.parametrize(
    ("pattern", "said"), [("plant", "--subject"), (r"re:plant\d", "round brackets"), (r"re:tree(\d)", "fits none")]
)
def test_a_pattern_that_cannot_work_is_refused(saved, shots, pattern, said):
    ended = diagnosed(saved, shots, "--subject", pattern)
    assert ended.exit_code != 0
    assert said in " ".join(str(ended.exception).split()) + ended.output


def test_verdicts_kept_in_a_folder_give_the_same_subjects_when_the_command_resumes(saved, shots, tmp_path):
    asked = [*map(str, of_plant(shots)), "--panel", str(saved), "-o", str(tmp_path / "kept"), "--json"]
    found = []
    for _ in range(2):
        ended = CliRunner().invoke(app, ["diagnose", *asked, "--subject", r"re:(plant\d+)"])
        assert ended.exit_code == 0
        found.append([json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")])
    assert [(one["case"]["subject"], len(one["shots"])) for one in found[0]] == [("plant07", 3)]
    assert found[0][0]["posterior"] == found[1][0]["posterior"]


def test_subjects_of_paths_on_stdin_are_refused(saved):
    ended = CliRunner().invoke(app, ["diagnose", "-", "--panel", str(saved), "--subject", r"re:(plant\d+)"])
    assert "has to know all images before" in " ".join(str(ended.exception).split())
