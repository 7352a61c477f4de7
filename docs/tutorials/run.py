"""Runs the tutorials from scratch and stores them with their outputs: ``make tutorials``.

    python docs/tutorials/run.py [NAME …] [--out DIR]

Each notebook runs in an empty folder of its own, so nothing is left beside it. Needs the extra ``test``.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).parent
ENCODER = "efficientnet-lite0"
"""Named, so that the outputs are the same on machines that have CLIP weights."""


def main() -> None:
    """Runs the notebooks that are named, or all of them."""
    known = sorted(file.stem for file in HERE.glob("*.ipynb"))
    parser = argparse.ArgumentParser(description="Run the tutorials and store their outputs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}; all by default")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to; by default where they are")
    given = parser.parse_args()
    os.environ.setdefault("DOUBLEREAD_ENCODER__NAME", ENCODER)
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # of tqdm, where ipywidgets is missing
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for name in given.names or known:
        began = perf_counter()
        notebook = run(HERE / f"{name}.ipynb")
        written = given.out / f"{name}.ipynb"
        nbformat.write(notebook, written)
        print(f"{name}: {perf_counter() - began:.0f} s, {written.stat().st_size / 1000:.0f} kB")


def run(file: Path) -> NotebookNode:
    """Returns the notebook with fresh outputs; raises ``CellExecutionError`` where a cell fails."""
    notebook = nbformat.read(file, as_version=4)
    with TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        outputs = [output for output in cell.get("outputs", []) if "data" not in output or any(output.data.values())]
        cell.get("outputs", [])[:] = [_tidy(output, folder) for output in outputs]  # without progress that has ended
    notebook.metadata = NotebookNode(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        language_info={"name": "python"},
    )
    return notebook


def _tidy(output: NotebookNode, folder: str) -> NotebookNode:
    """An output without paths of this machine, and with one form of each picture."""
    if "image/png" in output.get("data", {}):
        output.data.pop("image/jpeg", None)
    if "text" in output:
        output.text = _local(output.text, folder)
    for kind, shown in output.get("data", {}).items():
        if kind.startswith("text/"):
            output.data[kind] = _local(shown, folder)
    return output


def _local(text: str, folder: str) -> str:
    return re.sub(r"\S*/ipykernel_\d+/\d+\.py", "cell", text.replace(f"{folder}/", ""))


if __name__ == "__main__":
    main()
