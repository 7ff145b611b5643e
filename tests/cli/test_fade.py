"""``tierwise fade`` on real digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]
SMALL = (
    "--stages",
    "1",
    "--candidates",
    "3",
    "--regions",
    "1",
    "--runs",
    "1",
    "--epochs",
    "2",
    "--training",
    "epochs=1",
)


def test_it_searches_judges_and_reports_and_goes_on(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    code, out, err = cli("fade", *SMALL, "--study", str(path))
    assert code == 0, err
    assert "Spearman with accuracies alone: FaDE" in out
    assert "ceiling" in out
    page = path.with_suffix(".html")
    assert "FaDE report" in page.read_text()
    assert "Weights over time" not in page.read_text()  # none are learnt
    before = path.read_bytes()
    page.unlink()
    code, again, err = cli("fade", *SMALL, "--study", str(path))
    assert code == 0, err
    assert again.splitlines()[:3] == out.splitlines()[:3]
    assert page.exists()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "letters"), "letters"),
        (("--data", "digits", "--space", "nasbench201.toml"), "nasbench201.toml"),
        (("--optimiser", "gradient"), "gradient"),
        (("--option", "moves=jump"), "gradient, neighbours"),
        (("--reading", "paths"), "alone, weights"),
        (("--training", "epoch=3"), "epochs"),
    ],
)
def test_what_it_cannot_do_is_said(cli: Cli, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = cli("fade", *words, "--study", str(tmp_path / "a.db"))
    assert code != 0
    assert said in out + err
    assert not (tmp_path / "a.db").exists()
