"""The page on spaces of one's own, and the example of marked code, do what they say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tierwise import Architectures

ROOT = Path(__file__).parents[2]


def test_the_code_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "own_space.md").read_text()
    monkeypatch.chdir(tmp_path)
    for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        Path(re.match(r"# (\S+\.toml)", text)[1]).write_text(text)
    names: dict[str, Any] = {"np": np, "Architectures": Architectures}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code, names)  # noqa: S102  our own page
    out = capsys.readouterr().out
    assert "torch.Size([2, 10])" in out
    assert "block2 is a choice where depth in 3" in out
    assert re.search(r"width=\d+; depth=\d", out)
    space, net = names["space"], names["net"]
    assert space.totals(Architectures.of([names["arch"]], space))[0, 1] == sum(p.numel() for p in net.parameters())


def test_the_example_searches_within_its_limit(capsys: pytest.CaptureFixture[str]) -> None:
    script = ROOT / "examples" / "own_space.py"
    assert len(script.read_text().splitlines()) <= 80
    runpy.run_path(str(script), run_name="__main__")
    first, *best = capsys.readouterr().out.splitlines()
    assert first == "3,888 combinations; block2 is a choice where depth in 3"
    found = [re.fullmatch(r"(\S+) % with (\S+) parameters: width=\d+; depth=\d.*", line) for line in best]
    assert len(found) == 3
    accuracies = [float(each[1]) for each in found]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] > 60  # chance is 10
    assert all(int(each[2].replace(",", "")) <= 10_000 for each in found)
