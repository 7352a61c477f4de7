"""Panel folders changed on purpose, with a manifest that agrees: what a hostile folder may hold."""

import json

from doubleread.panel.panel_manifest import MANIFEST, seal
from doubleread.panel.saving import STORE
from doubleread.panel.trust_folder import home_of
from doubleread.panel.trust_pointer import FITTED, Pointer, read_pointer


def reseal(folder):
    """Makes manifests and pointer agree with the files as they are now."""
    pointer, manifests = read_pointer(folder), {}
    for version in pointer.versions:
        home = folder if version == FITTED else home_of(folder, version)
        (home / MANIFEST).unlink(missing_ok=True)
        out = {STORE, "trust.json", ".lock", "outcomes.jsonl", "outcomes.head.json"} if version == FITTED else set()
        manifests[version] = seal(home, frozenset(out))
    Pointer.to(pointer.version, manifests).write(folder)


def edited(folder, file, change):
    """Changes a JSON file, and the manifest with it."""
    data = json.loads((folder / file).read_text())
    change(data)
    (folder / file).write_text(json.dumps(data))
    reseal(folder)
