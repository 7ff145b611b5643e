"""Spaces of grammars: counted, sampled, listed, moved in and written exactly."""

from __future__ import annotations

import itertools
import math
import re
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import make
from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadSetting, TooLarge
from tierwise.space import Space
from tierwise.spaces.grammar import Grammar
from tierwise.spaces.grammar_terms import Term, read_term
from tierwise.spaces.hnasbench201 import HNASBench201
from tierwise.study import Study
from tierwise.testing import check_space

ROOT = Path(__file__).parents[2]
# every term of it is written out below
SMALL = {"NET": "series(A, B) | A", "A": "conv3x3 | branch(B, B)", "B": "id | zero | id"}
NESTED = {"NET": "series(OP, OP) | branch(OP, NET)", "OP": "conv3x3 | id | residual(conv3x3, id)"}


def small(**settings: object) -> Grammar:
    return Grammar("small", "NET", SMALL, **settings)  # type: ignore[arg-type]


def nested(depth: int = 3) -> Grammar:
    return Grammar("nested", "NET", NESTED, depth=depth)


def regular() -> Grammar:
    rules = {
        "NET": "series(CELL, CELL) | series(CELL, OP, CELL)",
        "CELL": "cell(OP, OP, OP)",
        "OP": "conv3x3 | id | zero",
    }
    return Grammar("regular", "NET", rules, shared=["CELL"])


def every_small_term() -> set[str]:
    b = ["id", "zero"]
    a = ["conv3x3", *(f"branch({x}, {y})" for x, y in itertools.product(b, b))]
    return {*a, *(f"series({x}, {y})" for x, y in itertools.product(a, b))}


def terms(space: Space, archs: Architectures) -> list[str]:
    return space.format(archs)


def test_every_term_is_listed_once() -> None:
    space = small()
    found = terms(space, space.enumerate())
    assert len(found) == space.size == len(every_small_term())
    assert set(found) == every_small_term()


def test_a_production_that_is_written_twice_counts_twice_in_derivations_alone() -> None:
    b = 3  # id, zero, id
    a = 1 + b * b
    assert small().derivations == a * b + a
    assert small().size == 5 * 2 + 5


def test_depth_bounds_recursion() -> None:
    op, net = 3, 0
    for depth in range(1, 6):
        net = op * op + op * net  # at depth 1 the second production has nothing to end with
        assert nested(depth).size == net
    deepest = max(terms(nested(), nested().enumerate()), key=lambda text: text.count("branch"))
    assert deepest.count("branch") == 2


def test_a_shared_symbol_is_one_sub_term_everywhere() -> None:
    space = regular()
    assert space.size == 3**3 * (1 + 3)
    for text in terms(space, space.enumerate()):
        cells = [part.split(")")[0] for part in text.split("cell(")[1:]]
        assert len(cells) == 2
        assert len(set(cells)) == 1


def published() -> tuple[int, int]:
    """Derivations and terms of hierarchical NAS-Bench-201, by sums and products of its levels alone."""
    numbers = []
    for convolution in (2, 1):  # how often it is written
        edge = 3 + convolution * 3**3
        cell = edge**6
        c = cell**2 + 2 * cell**3
        down = cell + cell**2 + cell
        d1, d0 = (c**2 * last + c**3 * last + c**2 * last**2 for last in (down, cell))
        numbers.append(d1**2 * d0 + d0 * d1**2 + d1**2 * d0**2)
    return numbers[0], numbers[1]


def test_hierarchical_nasbench201_has_the_published_size() -> None:
    space, (derivations, size) = HNASBench201(), published()
    assert (space.derivations, space.size) == (derivations, size)
    assert math.floor(math.log10(derivations)) == 446
    assert math.floor(math.log10(size)) == 375
    with pytest.raises(TooLarge):
        space.at([0])


def passes(term: Term) -> bool | None:
    """What a term makes of 1, or None if some part of it that is called with 1 answers 0; worked out by calling."""
    if not term.args:
        return term.head != "zero"
    parts = [passes(arg) for arg in term.args]
    if None in parts:
        return None
    if term.head == "series":
        answer = all(parts)
    elif term.head == "branch":
        answer = any(parts)
    elif term.head == "residual":
        answer = all(parts[:-1]) or parts[-1]
    else:
        a, b, c = parts
        answer = b or (a and c)
    return True if answer else None


CUT = [
    (SMALL, {}),
    (NESTED | {"OP": "conv3x3 | zero | residual(OP, OP)", "NET": "series(OP, OP) | branch(OP, NET)"}, {"depth": 3}),
    ({"NET": "series(C, O, C) | C", "C": "cell(O, O, O)", "O": "id | zero | conv3x3"}, {"shared": ["C"]}),
    ({"NET": "residual(O, branch(O, zero), O)", "O": "P | conv3x3", "P": "zero | id"}, {}),
]


@pytest.mark.parametrize(("productions", "settings"), CUT)
def test_connected_terms_are_those_without_a_part_that_is_cut(productions, settings) -> None:
    """Against all terms, judged one by one."""
    every = Grammar("every", "NET", productions, **settings)
    open_ones = Grammar("open", "NET", productions, connected=True, **settings)
    expected = [text for text in terms(every, every.enumerate()) if passes(read_term(text))]
    assert sorted(terms(open_ones, open_ones.enumerate())) == sorted(expected)
    assert 0 < open_ones.size == len(expected) < every.size
    with pytest.raises(BadArchitecture):
        open_ones.parse(next(text for text in terms(every, every.enumerate()) if not passes(read_term(text))))


def test_connected_hierarchical_nasbench201_is_counted_exactly() -> None:
    """By the cells of six edges in which some way is open, found by following ways."""
    ways = [(0,), (1, 2), (3, 5), (3, 4, 2)]  # edges 0-3, 0-1 and 1-3 and so on, in an order of their own
    cell = 0
    for live in itertools.product([True, False], repeat=6):
        if any(all(live[edge] for edge in way) for way in ways):
            cell += (2 + 27) ** sum(live)  # id, pool, and 27 convolutions
    c = cell**2 + 2 * cell**3
    down = cell + cell**2 + cell
    d1, d0 = (c**2 * last + c**3 * last + c**2 * last**2 for last in (down, cell))
    space = HNASBench201(connected=True)
    assert space.size == d1**2 * d0 + d0 * d1**2 + d1**2 * d0**2
    some = space.sample(20, np.random.default_rng(0))
    assert space.contains(space.mutate(some, np.random.default_rng(1))).all()
    assert all(space.parse(text) == arch for text, arch in zip(terms(space, some[:3]), some[:3], strict=True))


def test_what_cannot_be_connected_is_refused() -> None:
    with pytest.raises(BadSetting, match="always or never"):
        Grammar("g", "N", {"N": "branch(O, O) | series(O, id)", "O": "id | zero"}, shared=["O"], connected=True)
    with pytest.raises(BadSetting, match="lets something through"):
        Grammar("g", "N", {"N": "series(O, zero)", "O": "id | zero"}, connected=True)
    wide = f"series({', '.join(['O'] * 13)})"
    with pytest.raises(BadSetting, match="at most 4,096 ways"):
        Grammar("g", "N", {"N": f"{wide} | id", "O": "id | zero"}, connected=True)


def test_every_term_is_equally_likely() -> None:
    space = nested()
    n = 20_000
    seen = np.bincount(space.index(space.sample(n, np.random.default_rng(0))), minlength=space.size)
    expected = n / space.size
    chi2 = ((seen - expected) ** 2 / expected).sum()
    assert abs(chi2 - (space.size - 1)) < 6 * math.sqrt(2 * (space.size - 1))


def test_deriving_follows_the_productions() -> None:
    space = small()
    n = 20_000
    seen = Counter(terms(space, space.derive(n, np.random.default_rng(0))))
    # NET and A by halves; B gives id twice as often as zero
    for text, chance in {"conv3x3": 1 / 4, "branch(id, id)": 1 / 4 * 4 / 9, "series(conv3x3, zero)": 1 / 4 / 3}.items():
        assert abs(seen[text] / n - chance) < 6 * math.sqrt(chance / n)


def test_narrowing_is_counted_exactly() -> None:
    space = nested()
    smaller = space.narrow("OP/1", ["id"]).narrow("NET/2", ["branch(OP, NET)"])
    kept = [
        text
        for text in terms(space, space.enumerate())
        if text.split("(", 1)[1].startswith("id,") and not text.startswith("branch(id, series")
    ]
    assert sorted(terms(smaller, smaller.enumerate())) == sorted(kept)
    assert smaller.size == len(kept) < space.size
    assert set(terms(smaller, smaller.sample(500, np.random.default_rng(0)))) <= set(kept)


def test_neighbours_change_one_production_and_keep_what_both_use() -> None:
    space = nested()
    one = space.parse("branch(conv3x3, series(id, conv3x3))")
    around, parents = space.neighbours(Architectures.of([one], space))
    assert set(terms(space, around)) == {
        "branch(id, series(id, conv3x3))",
        "branch(residual(conv3x3, id), series(id, conv3x3))",
        "branch(conv3x3, series(conv3x3, conv3x3))",
        "branch(conv3x3, series(residual(conv3x3, id), conv3x3))",
        "branch(conv3x3, series(id, id))",
        "branch(conv3x3, series(id, residual(conv3x3, id)))",
        "series(conv3x3, conv3x3)",  # its first stays; its second is new, and the smallest
        "branch(conv3x3, branch(id, series(conv3x3, conv3x3)))",
    }
    assert len(around) == len(parents) == 8


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from([small, nested]))
def test_moves_stay_inside_and_change_what_they_say(seed: int, make: object) -> None:
    space = make()  # type: ignore[operator]
    rng = np.random.default_rng(seed)
    a, b = space.sample(20, rng), space.sample(20, rng)
    mutant, child = space.mutate(a, rng), space.cross(a, b, rng)
    assert space.contains(mutant).all()
    assert space.contains(child).all()
    assert (mutant.genes != a.genes).any(1).all()
    for text, first, second in zip(terms(space, child), terms(space, a), terms(space, b), strict=True):
        exchanged = {first[:i] + second[k:m] + first[j:] for i, j in _spans(first) for k, m in _spans(second)}
        assert text in {first, *exchanged}


def _spans(text: str) -> list[tuple[int, int]]:
    """Where each sub-term begins and ends in a text."""
    found = list[tuple[int, int]]()
    for start in [0, *(k + 1 for k, letter in enumerate(text) if letter in "( ")]:
        depth = 0
        for end in range(start, len(text) + 1):
            if end == len(text) or (depth == 0 and text[end] in ",)"):
                found.append((start, end))
                break
            depth += {"(": 1, ")": -1}.get(text[end], 0)
    return found


def test_terms_are_read_however_they_are_spaced() -> None:
    space = nested()
    arch = space.parse(" branch( conv3x3,series(id , id) ) ")
    assert str(space.term(arch)) == "branch(conv3x3, series(id, id))"
    for text in ("branch(conv3x3)", "branch(conv3x3, id)", "branch(conv3x3, series(id, id)", "series(OP, OP)", "a b"):
        with pytest.raises(BadArchitecture):
            space.parse(text)
    with pytest.raises(BadArchitecture, match="no term of nested"):
        space.parse("nested/" + "-".join("0" * len(space.choices)))


def test_keys_know_series_identities_and_the_order_of_branches() -> None:
    rules = {
        "NET": "series(T, T) | series(T, T, T) | branch(T, T) | residual(T, T) | series(T, U)",
        "T": "conv3x3 | conv1x1 | id",
        "U": "series(T, T)",
    }
    space = Grammar("keys", "NET", rules)

    def key(text: str) -> int:
        return int(space.canonical(Architectures.of([space.parse(text)], space))[0])

    assert key("series(conv3x3, series(conv1x1, conv3x3))") == key("series(conv3x3, conv1x1, conv3x3)")
    assert key("series(conv3x3, id, conv1x1)") == key("series(conv3x3, conv1x1)")
    assert key("branch(conv3x3, conv1x1)") == key("branch(conv1x1, conv3x3)")
    assert key("series(conv3x3, conv1x1)") != key("series(conv1x1, conv3x3)")
    assert key("residual(conv3x3, conv1x1)") != key("branch(conv3x3, conv1x1)")
    # by brute force: flattened series, sorted branches
    forms = {_form(str(term)) for term in map(space.term, space.enumerate())}
    assert len(np.unique(space.canonical(space.enumerate()))) == len(forms)


def _form(text: str) -> object:
    """A term with its series flattened, identities in it left out and branches sorted."""
    from tierwise.spaces.grammar_terms import read_term

    def of(term: object) -> tuple[object, ...]:
        if not term.args:  # type: ignore[attr-defined]
            return () if term.head == "id" else (term.head,)  # type: ignore[attr-defined]
        parts = [of(arg) for arg in term.args]  # type: ignore[attr-defined]
        if term.head == "series":  # type: ignore[attr-defined]
            return tuple(itertools.chain(*parts))
        return ((term.head, *(sorted(parts, key=str) if term.head == "branch" else parts)),)  # type: ignore[attr-defined]

    return of(read_term(text))


def test_graphs_show_small_terms_whole_and_fold_large_ones() -> None:
    space = nested()
    graph = space.graph(space.parse("branch(conv3x3, series(id, residual(conv3x3, id)))"))
    assert sorted(graph.nodes) == ["conv3x3", "conv3x3", "id", "id", "input", "output"]
    successors = {k: sorted(graph.nodes[j] for i, j, _ in graph.edges if i == k) for k in range(len(graph.nodes))}
    assert successors[0] == ["conv3x3", "id"]
    assert sorted(map(tuple, successors.values())) == sorted(
        [("conv3x3", "id"), ("output",), ("conv3x3", "id"), ("output",), ("output",), ()]
    )
    large = HNASBench201()
    graphs = large.graphs(large.sample(5, np.random.default_rng(0)))
    assert graphs.node_op.shape[1] <= 50


@pytest.mark.parametrize("make", [small, nested, regular])
def test_small_grammars_are_spaces(make: object) -> None:
    check_space(make())  # type: ignore[operator]


@pytest.mark.parametrize("name", ["random", "evolution", "local", "tiers", "auto"])
def test_searches_run_on_a_grammar(name: str) -> None:
    space = nested(4)
    study = Study(None, space, name, lambda arch: float(str(space.term(arch)).count("conv3x3")))
    study.run(24 if name != "auto" else 20)
    found = Architectures.of([trial.arch for trial in study.trials()], space)
    assert len(np.unique(space.canonical(found))) == len(found) >= 20
    study.close()


def test_searches_run_on_a_space_that_nobody_can_list() -> None:
    space = HNASBench201(channels=4)
    study = Study(None, space, "evolution", lambda arch: -float(len(str(space.term(arch)))))
    study.run(24)
    assert len(study.trials()) == 24
    assert space == HNASBench201(channels=4) != HNASBench201(channels=8)
    study.close()


def test_numbers_outside_are_refused() -> None:
    with pytest.raises(IndexError):
        small().at([15])
    with pytest.raises(BadSetting, match="at most"):
        Grammar("many", "M", {"M": "branch(M, M) | series(M, M) | id | conv3x3"}, depth=20)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "grammar.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("11,758,041 terms")
    assert len(lines) == 5
    assert float(lines[2].split(" %")[0]) > 30  # guessing gives 10


def test_the_code_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "grammar.md").read_text()
    monkeypatch.chdir(tmp_path)
    declared = re.search(r"```toml\n(# (\S+)\n.*?)```", page, re.DOTALL)
    Path(declared[2]).write_text(declared[1])
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], {})  # noqa: S102  our own page
    out = capsys.readouterr().out
    assert re.match(r"[\d,]+ terms, \d+ genes\n(series\(.*\n){3}\d+ edits away; \d+ neighbours\n$", out)


@pytest.mark.parametrize("name", ["adjacency", "computation_graph", "flops", "hwl", "onehot", "params", "paths", "wl"])
def test_encodings_see_a_thousand_genes(name: str) -> None:
    space = HNASBench201(channels=4)
    archs = space.derive(30, np.random.default_rng(0))
    found = make("encoding", name).transform(archs)
    assert len(found) == 30
    assert found[0].size < 5_000
    assert np.isfinite(found).all()
    assert len(np.unique(found.reshape(30, -1), axis=0)) > 1
