"""``tierwise proxies``: the file that it writes, the table that it shows, and who reads the file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tierwise import Study, make
from tierwise.architecture import Architectures
from tierwise.encodings.columns import Columns
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.natsbench_size import NATSBenchSize

Cli = Callable[..., tuple[int, str, str]]
FAST = ("--proxy", "synflow", "--proxy", "l2_norm", "--batch", 2)
SPACE = NASBench201()


def written(path: str) -> tuple[Architectures, dict[str, np.ndarray]]:
    with Path(path).open() as file:
        rows = list(csv.DictReader(file))
    archs = Architectures.of([SPACE.parse(row["architecture"]) for row in rows], SPACE)
    names = [name for name in rows[0] if name != "architecture"]
    return archs, {name: np.array([float(row[name]) for row in rows]) for name in names}


def shown(out: str, name: str) -> list[str]:
    (line,) = [line for line in out.splitlines() if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.split("│")[2:-1]]


def test_random_cells_of_a_benchmark(cli: Cli) -> None:
    code, out, _ = cli("proxies", "nasbench201", *FAST, "-n", 10, "--out", "found.csv")
    assert code == 0
    archs, columns = written("found.csv")
    assert list(columns) == ["synflow", "l2_norm"]
    assert len(archs.unique()) == 10
    assert not Path("found.csv.part").exists()
    accuracy = make("benchmark", "nasbench201").expected("accuracy")[SPACE.index(archs)]
    flops, params = SPACE.totals(archs).T
    for name, column in {**columns, "FLOPs": flops, "parameters": params}.items():
        overall, half, tenth, _ = shown(out, name)
        assert float(overall) == pytest.approx(stats.spearmanr(column, accuracy).statistic, abs=6e-4)
        best = np.argsort(accuracy)[5:]
        assert float(half) == pytest.approx(stats.spearmanr(column[best], accuracy[best]).statistic, abs=6e-4)
        assert tenth == "–"
    read = Columns("found.csv").transform(archs)
    assert (read[:, :2].argsort(0) == np.stack(list(columns.values()), axis=1).argsort(0)).all()


def test_a_study_and_a_predictor_that_reads_the_file(cli: Cli) -> None:
    cli("run", "--strategy", "random", "--trials", 20, "--study", "mine.db", "--no-report")
    code, out, _ = cli("proxies", "mine.db", *FAST, "-n", 4)
    assert code == 0
    assert "4 architectures: proxies.csv" in out
    assert shown(out, "synflow")[0] != "–"
    code, out, _ = cli("rank", "mine.db", "--predictor", "forest", "--input", "columns:proxies.csv", "-k", 1)
    assert code == 0
    assert "columns:" in out


def test_labels_of_a_study_without_a_benchmark(cli: Cli) -> None:
    """What it has evaluated is measured first: nothing else has an accuracy."""
    space = NATSBenchSize()
    with Study("mine.db", space, "random", lambda arch: float(sum(arch.genes))) as study:
        study.run(5)
    code, out, _ = cli("proxies", "mine.db", "--proxy", "l2_norm", "-n", 5)
    assert code == 0
    overall, half, _, _ = shown(out, "l2_norm")
    assert float(overall) > 0.8, "wider networks have more weights"
    assert half == "–"


def test_all_of_a_part_of_the_space(cli: Cli) -> None:
    lines = [f'"cell/{i}-{j}" = ["none"]' for i, j in SPACE.edges[:5]]
    Path("part.toml").write_text("\n".join(['kind = "part"', 'base = "nasbench201"', "[allowed]", *lines]) + "\n")
    code, out, _ = cli("proxies", "nasbench201", "--space", "part.toml", "--all", "--proxy", "l2_norm")
    assert code == 0
    archs, columns = written("proxies.csv")
    assert len(archs) == 5
    assert len(set(columns["l2_norm"].tolist())) == 1, "without a way to the last node all are one network"
    assert shown(out, "l2_norm")[0] == "–"


def test_bad_input_is_one_line_that_helps(cli: Cli) -> None:
    for arguments, said in (
        (("--proxy", "synflw"), 'did you mean "synflow"?'),
        (("--proxy", "onehot"), "proxy = 'onehot' is not possible"),
        (("nasbench2001",), 'did you mean "nasbench201"?'),
        (("--batch", 1), "batch = 1"),
        (("--out", "nowhere/proxies.csv"), "a folder that exists"),
        (("--out", "proxies.txt"), ".csv"),
        (("nasbench-graph", "--proxy", "snip"), "a space that builds networks"),
    ):
        code, _, err = cli("proxies", *arguments)
        assert code == 2, arguments
        assert said in " ".join(err.split()), arguments
        assert "Traceback" not in err
    assert not list(Path.cwd().glob("*"))


def test_help_has_an_example(cli: Cli) -> None:
    code, out, _ = cli("proxies", "--help")
    assert code == 0
    assert "Example" in out
    assert "columns:proxies.csv" in out
