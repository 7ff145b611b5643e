"""The results page: one section a claim, from results whose commit, data and settings are known, or none at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tierwise.errors import BadTable
from tierwise.harness.protocol import Claim, claim_name, load_claim
from tierwise.harness.run import KINDS, Result, git, unmet
from tierwise.harness.sections import section
from tierwise.harness.shards import Shard


def report(bench_folder: str | Path, page: str | Path) -> Path:
    """Write the section of every claim in `bench_folder` that has results into `page`, and its picture beside it.

    What stands outside the markers of these sections is kept; pictures go to ``images/bench/`` beside the page.
    Results are refused, and nothing is written, if git does not know a commit of theirs, if data or settings are not
    those of the claim, or if a statement of the claim is outside its tolerance. Raises BadTable, naming the file.
    """
    folder, target = Path(bench_folder), Path(page)
    sources = [path for path in sorted(folder.glob("*.toml")) if results_file(path).is_file()]
    checked = [(path, *checked_results(path)) for path in sources]
    from tierwise.harness.pictures import draw

    text = target.read_text() if target.exists() else ""
    for source, claim, content in checked:
        name = claim_name(source)
        picture = target.parent / "images" / "bench" / f"{name}.svg"
        draw(claim, content["runs"], content["facts"], picture)
        link = f"![{claim.title}](images/bench/{picture.name})"
        text = put_section(text, name, section(claim, content, f"bench/{source.name}", link))
    target.write_text(text)
    return target


def markdown(result: Result) -> str:
    """The section of a claim that has just been run, without its picture."""
    return section(result.claim, result.content, f"bench/{result.source.name}", "")


def results_file(claim: Path) -> Path:
    """Where the results of a claim are."""
    return claim.parent / "results" / f"{claim_name(claim)}.json"


def checked_results(source: Path) -> tuple[Claim, dict[str, Any]]:
    """A claim and its results. Raises BadTable for results that are not to be trusted."""
    claim, path = load_claim(source), results_file(source)
    try:
        content = cast(dict[str, Any], json.loads(path.read_text()))
        runs: list[Shard] = content["runs"]
        commits: list[str] = [content["environment"]["commit"], *(line["commit"] for line in runs)]
        data: dict[str, str] = content["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadTable(path, f"not results of a claim ({error!r}); run {source.name} again") from error
    for commit in sorted(set(commits)):
        if not commit or git(source.parent, "cat-file", "-t", commit) != "commit":
            raise BadTable(path, f"made at commit {commit or '(none)'}, which git does not know here")
    wanted = {claim.data.file: claim.data.sha256} if claim.data.file else {}
    if data != wanted:
        raise BadTable(path, f"made from data {data}, {source.name} is about {wanted}; run it again")
    _check_shards(path, source.name, claim, runs)
    if failed := unmet(claim, runs):
        raise BadTable(path, f"does not bear out {source.name}: {'; '.join(failed)}")
    return claim, content


def _check_shards(path: Path, file: str, claim: Claim, runs: Sequence[Shard]) -> None:
    """Every shard of the claim, with its present settings, and no other."""
    have = {(json.dumps(line["shard"], sort_keys=True), line["settings"]) for line in runs}
    shards: list[Shard] = KINDS[claim.kind].shards(claim)
    want = {(json.dumps(shard, sort_keys=True), claim.digest(shard["method"])) for shard in shards}
    if have != want:
        problem = (
            f"{len(want - have)} shards of {file} are missing or have other settings, {len(have - want)} are not in it"
        )
        raise BadTable(path, f"{problem}; run it again")


def put_section(page: str, name: str, text: str) -> str:
    """The page with the part between the markers of `name` replaced; without them it comes at the end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    if begin not in page:
        return f"{page.rstrip()}\n\n{block}\n".lstrip()
    before, rest = page.split(begin, 1)
    if end not in rest:
        raise BadTable(name, f"the page has {begin} without {end}")
    return before + block + rest.split(end, 1)[1]
