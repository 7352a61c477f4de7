"""From a folder of labelled images to a report: python examples/folder_to_report.py photos/ out/

One sub-folder a label. Groups (the same plant, patient, part) keep their images on one side: set GROUP.
"""

import sys
from pathlib import Path

import doubleread
from doubleread.evals.splits import split

GROUP = None  # such as "re:(.*)_\\d+", for files named plant7_1.jpg, plant7_2.jpg

photos, out = Path(sys.argv[1]), Path(sys.argv[2])
dataset = doubleread.read_dataset(photos, group=GROUP)
cases = split(dataset.cases, seed=0)  # support and calibration to fit on, test to judge on

if not (out / "panel").exists():
    with doubleread.Panel.fit(cases, dataset.task) as panel:
        panel.save(out / "panel")

with doubleread.Panel.load(out / "panel") as panel:
    judged = doubleread.evaluate_panel(panel, dataset.with_cases(cases), out=out / "run")

accuracy = judged.evaluation.judged.accuracy
print(
    f"right on {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%}) of {judged.evaluation.n} unseen images"
)
print(f"report: {judged.report}")
