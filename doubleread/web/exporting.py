"""An export as one file that a browser can save."""

import io
import zipfile
from pathlib import Path


def packed(file: Path, folder: Path) -> tuple[str, str, bytes]:
    """Name, media type and bytes: the file itself, or everything in the folder where it came with pictures."""
    beside = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if len(beside) == 1:
        media = "text/html" if file.suffix == ".html" else "text/markdown"
        return file.name, f"{media}; charset=utf-8", file.read_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in beside:
            archive.write(path, path.relative_to(folder))
    return f"{file.stem}.zip", "application/zip", out.getvalue()
