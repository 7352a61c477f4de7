"""ImageFolder: ``train/rust/1.jpg``, as torchvision, timm, Keras and Hugging Face's ``datasets`` read it."""

import csv
import io

from doubleread.core.durable import write_text
from doubleread.evals.exports._export_parts import ExportDraft, ExportFormat

LABEL_NAMES = "label-names.csv"


def _place(split: str, label: str) -> str:
    return f"{split}/{label}" if split else label


def _write(draft: ExportDraft) -> None:
    """Writes which folder holds which label, if a label's name is no name of a folder."""
    if all(label == folder for label, folder in draft.folders.items()):
        return
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("folder", "label"))
    writer.writerows((folder, label) for label, folder in draft.folders.items())
    write_text(draft.folder / LABEL_NAMES, out.getvalue())


IMAGE_FOLDER = ExportFormat("a folder for each label, in one for each split", _place, _write, needs_label=True)
