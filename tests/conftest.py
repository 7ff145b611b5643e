"""What tests share: the results tables of the benchmark's authors, where a folder of them is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# one thread a process: on a busy machine two wait for each other at each of many small matrix products
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# how long an example takes to draw or to run says something about the machine, and nothing about the code
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("TIERWISE_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="session", autouse=True)
def own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave the user's data folder alone; what one of them trains there serves the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIERWISE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def nb201_file() -> Path:
    """Results of NAS-Bench-201 as its authors published them, one array a quantity, in the official order."""
    path = DATA / "nb201.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    return path


@pytest.fixture(scope="session")
def nb201(nb201_file: Path) -> Mapping[str, Any]:
    with np.load(nb201_file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Every skipped test by its name: a green run without the tables is not a complete one."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("skipped tests")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"{report.nodeid}: {reason}")
