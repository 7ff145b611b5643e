"""Run as a process of its own: converts a file in small steps, and kills itself on the way or tells its memory.

python -m tests.importers.nasbench101_driver FILE FOLDER BATCH KILL_AT
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from tierwise.importers import tfrecord
from tierwise.importers.convert import add


def main(file: str, folder: str, batch: int, kill_at: int) -> None:
    tfrecord.BATCH = batch
    told = 0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal told
        told += stage.startswith("reading")
        if told == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    (card,) = add([file], folder=Path(folder), progress=progress)
    # not getrusage: its figure begins with the memory of the process that started this one
    status = Path("/proc/self/status").read_text()
    most = int(status.split("VmHWM:")[1].split()[0])
    print(json.dumps({"columns": len(card.columns), "parts": told, "kilobytes": most}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
