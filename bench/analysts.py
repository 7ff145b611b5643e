"""Whether steering helps: simulated analysts on NAS-Bench-201, beside a search that nobody steers.

After every 20 results an analyst looks at what was evaluated, and at nothing else:

- "bans the worst" bans the option whose effect on the results is lowest, if its interval lies below 0 and at least 20
  results have it and 20 have it not;
- "focuses" prefers the rule that best describes the best fifth of the results, in place of the rule before;
- "bans the best" does harm: it bans the option with the highest effect.

Evaluations until any of the best 0.1 % of the cells by validation accuracy, 300 at most; of equal networks one is
evaluated. Ban regret is what the best cell that may still be proposed lacks of the best of all.

    python bench/analysts.py [--seeds 50] [--datasets cifar10 cifar100 imagenet16-120]
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rows import Rows
from stopwatch import HERE, markdown, one_thread, publish

from tierwise import Study, make
from tierwise.harness.tables import mean_sd
from tierwise.insight.effects import effects
from tierwise.insight.rules import rules
from tierwise.steer_row import in_force

EVERY, MOST, BATCH, SHARE = 20, 300, 5, 0.001
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
STRATEGIES = {"random": "random", "regularised evolution": "evolution", "local search": "local", "`auto`": "auto"}


def nobody(study: Study) -> None:
    """Never steers."""


def bans(study: Study, sign: float) -> None:
    """The option of the lowest (sign -1) or highest (1) effect that is sure."""
    done = study.history().done
    found = effects(done.archs, done.y)
    sure = ~found.thin & ((found.high < 0) if sign < 0 else (found.low > 0)) & study.steering().space.allowed
    sure &= study.steering().space.allowed.sum(1, keepdims=True) > 1
    if sure.any():
        gene, option = np.unravel_index(np.where(sure, sign * found.effect, -np.inf).argmax(), sure.shape)
        choice = study.space.choices[gene]
        study.steer("ban", who="analyst", choice=choice.path, option=choice.options[option])


def focuses(study: Study) -> None:
    """The best fifth of the results as a rule."""
    done = study.history().done
    inside = done.y >= np.quantile(done.y, 0.8)
    if not 0 < inside.sum() < len(inside):
        return
    found = rules(done.archs, inside, {})
    for row in in_force(study.steers()).values():
        study.steer("retract", who="analyst", row=row.id)
    study.steer("prefer", who="analyst", rule=found[0].text)


ANALYSTS: dict[str, Callable[[Study], None]] = {
    "nobody": nobody,
    "bans the worst": functools.partial(bans, sign=-1.0),
    "focuses": focuses,
    "bans the best": functools.partial(bans, sign=1.0),
}


@functools.lru_cache
def table(dataset: str) -> Any:
    """Validation accuracies of all cells."""
    return make("benchmark", "nasbench201", dataset=dataset)


def searched(dataset: str, strategy: str, analyst: str, seed: int) -> dict[str, Any]:
    """One search until the best 0.1 %."""
    data = table(dataset)
    labels = np.asarray(data.expected("accuracy"))
    top = float(np.sort(labels)[-round(SHARE * len(labels))])
    with Study(None, data.space, STRATEGIES[strategy], data, seed=seed) as study:
        for until in range(EVERY, MOST + 1, EVERY):
            study.run(until, batch=BATCH, target=top)
            if study.history().done.y.max() >= top:
                break
            ANALYSTS[analyst](study)
        y = study.history().done.y
        left = labels[data.space.index(study.steering().space.enumerate())]
        found = np.flatnonzero(y >= top)
        return {
            "evaluations": int(found[0]) + 1 if len(found) else None,
            "regret": float(labels.max() - y.max()),
            "ban_regret": float(labels.max() - left.max()),
            "rows": len(study.steers()),
        }


def main() -> None:
    """Measure, write, print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    options = parser.parse_args()
    rows = Rows(Path(HERE) / "results" / "analysts.jsonl")
    parts, content = ["## Whether steering helps", __doc__.split("\n\n", 1)[1].rsplit("\n\n", 1)[0]], dict[str, Any]()
    for dataset in options.datasets:
        lines: list[list[object]] = []
        for strategy in STRATEGIES:
            for analyst in ANALYSTS:
                key = dataset, strategy, analyst
                found = [
                    rows.of(*key, seed, make=functools.partial(searched, *key, seed)) for seed in range(options.seeds)
                ]
                spent = [run["evaluations"] or MOST for run in found]
                missed = sum(run["evaluations"] is None for run in found)
                evaluations = ("at least " if missed else "") + mean_sd(spent, 1)
                regrets = [mean_sd([run[kind] for run in found], 2) for kind in ("regret", "ban_regret")]
                share = f"{len(found) - missed} of {len(found)}"
                lines.append([strategy, analyst, evaluations, f"{np.median(spent):.0f}", share, *regrets])
                content.setdefault(dataset, {}).setdefault(strategy, {})[analyst] = found
        head = ["strategy", "analyst", "evaluations to the top 0.1 %", "median", "found", "regret, %", "ban regret, %"]
        parts += [f"**{dataset}**, {options.seeds} seeds, mean ± sd", markdown(head, lines)]
    parts.append("Made by `bench/analysts.py`.")
    publish("analysts", content, "\n\n".join(parts))


if __name__ == "__main__":
    main()
