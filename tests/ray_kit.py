"""Workers of Ray that die: real processes, really killed."""

import os
import signal
from pathlib import Path

from doubleread.core.case import Case
from doubleread.evals.runs.ray_worker import RunReader


class Frail(RunReader):
    """Is killed by a case whose metadata say ``always``, or ``once`` with a file that marks the first time."""

    async def read(self, place, case):
        kills = Case.model_validate_json(case).metadata
        if "always" in kills or ("once" in kills and not Path(kills["once"]).exists()):
            if "once" in kills:
                Path(kills["once"]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().read(place, case)
