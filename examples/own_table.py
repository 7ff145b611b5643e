"""Search one's own table of results: small networks on handwritten digits."""

from pathlib import Path

from tierwise import Study
from tierwise.benchmarks.own import load

folder = Path(__file__).parent
data = load(folder / "own_table.toml", folder / "own_table.csv")  # the space, and accuracies of its networks
study = Study(None, data.space, "auto", data, limits={"params": 4000})
study.run(50)
for place, trial in enumerate(study.best(5), start=1):
    layers = " → ".join(data.space.graph(trial.arch).nodes[1:-1])
    print(f"{place}. {trial.metrics['accuracy']:.2f} % of the digits: {layers}")
