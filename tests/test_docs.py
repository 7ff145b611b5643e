"""The documentation names everything a user can name, and its code runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tierwise
from tierwise.cli.bench import app as bench
from tierwise.cli.main import app
from tierwise.registry import GROUPS, installed

ROOT = Path(__file__).parents[1]
DOCS = "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


@pytest.mark.parametrize("name", tierwise.__all__)
def test_every_public_name_is_documented(name: str):
    assert re.search(rf"`[^`]*\b{name}\b[^`]*`|import .*\b{name}\b", DOCS)


@pytest.mark.parametrize("kind", GROUPS)
def test_every_plugin_is_documented(kind: str):
    ours = [name for name, point in installed(kind).items() if point.value.startswith("tierwise.")]
    assert ours
    for name in ours:
        assert f"`{name}`" in DOCS


def test_every_command_is_documented():
    for group, words in ((app, "tierwise"), (bench, "tierwise bench")):
        for command in group.registered_commands:
            assert f"{words} {command.name or command.callback.__name__}" in DOCS


def test_the_readme_example_runs_and_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) < 10
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace("study.run(150)", "study.run(30)"), names)  # noqa: S102  our own README
    assert len(names["study"].best(5)) == 5
    names["study"].close()


def test_links_in_the_docs_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_figures_in_the_docs_come_from_committed_results():
    results = (ROOT / "docs" / "results.md").read_text()
    for file in re.findall(r"bench/\w+\.(?:py|toml)", DOCS):
        assert (ROOT / file).exists(), file
    for name in re.findall(r"<!-- begin ([\w-]+) -->", results):
        assert (ROOT / "bench" / "results" / f"{name}.json").exists()
