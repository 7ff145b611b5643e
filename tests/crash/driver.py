"""A driver to be killed: it runs a study on the real table and prints what it has told once that is in the file.

python -m tests.crash.driver study.db folder inline|local|ray|slurm arrived|asked trials delay
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.evaluators import Recorded
from tierwise import Study, make
from tierwise.errors import EngineDied

BATCH = 4


def main() -> None:
    path, folder, executor, order, trials, delay = sys.argv[1:]
    data = make("benchmark", "nasbench201", dataset="cifar10")
    evaluator = Recorded(data, float(delay), Path(folder))
    printed: set[int] = set()

    def tell(study: Study) -> None:
        for trial in study.trials():
            if trial.state != "waiting" and trial.id not in printed:
                printed.add(trial.id)
                print("told", trial.id, trial.metrics["accuracy"], flush=True)

    with Study(path, data.space, "evolution", evaluator, seed=3) as study:
        tell(study)
        print("ready", flush=True)
        alone = executor == "inline"
        settings: dict[str, Any] = {"cluster": "local", "folder": folder} if executor == "slurm" else {}
        engine = make("executor", executor, workers=1 if alone else 2, **settings)
        try:
            reasons = study.run(int(trials), executor=engine, batch=BATCH, order=order, progress=tell)
        except EngineDied as error:
            print("gone", error, flush=True)
        else:
            print("finished", reasons, flush=True)
        finally:
            engine.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    main()
