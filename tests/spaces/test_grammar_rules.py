"""Grammars that are none, and what is said about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import load_space
from tierwise.errors import BadSetting, TierwiseError, UnknownName
from tierwise.spaces.grammar import Grammar
from tierwise.spaces.grammar_terms import Term, distance, read_term

GOOD = {"NET": "series(A, A)", "A": "conv3x3 | id"}


def made(productions: Mapping[str, Any], **given: Any) -> Grammar:
    return Grammar("g", "NET", productions, **given)


@pytest.mark.parametrize(
    ("productions", "given", "kind", "words"),
    [
        (GOOD | {"A": "conv3x3 | B"}, {}, UnknownName, ["symbol in A -> B", '"B"']),
        (GOOD | {"LOST": "id"}, {}, BadSetting, ["unreachable LOST", "reached from NET"]),
        (GOOD | {"A": "id | series(A, B)", "B": "series(B, id)"}, {"depth": 3}, BadSetting, ["endless B"]),
        (GOOD | {"A": "id | series(A, id)"}, {}, BadSetting, ["depth = None", "1 or more: how deep A"]),
        (GOOD, {"depth": 2}, BadSetting, ["depth = 2", "none, because no symbol leads back"]),
        ({"NET": "A", "A": "series(B)", "B": "series(A) | A"}, {"depth": 2}, BadSetting, ["endless"]),
        (GOOD | {"A": "cell(id, id)"}, {}, BadSetting, ["arguments of cell in A -> cell(id, id) = 2"]),
        (GOOD | {"A": "around(id)"}, {}, UnknownName, ["topology in A -> around(id)", "residual"]),
        (GOOD | {"A": "series(id"}, {}, BadSetting, ["productions.A", "parentheses"]),
        (GOOD | {"A": "id | | zero"}, {}, BadSetting, ["productions.A", "none empty"]),
        (GOOD, {"shared": ["NET"]}, BadSetting, ["shared = 'NET'"]),
        ({"NET": "A | id", "A": "conv3x3 | zero"}, {"shared": ["A"]}, BadSetting, ["some terms of NET do without A"]),
        (GOOD, {"shared": ["B"]}, UnknownName, ['shared symbol "B"']),
        ({"NET": "series(id, id)"}, {}, BadSetting, ["one term"]),
        (GOOD, {"channels": 0}, BadSetting, ["channels of g = 0"]),
        (GOOD, {"topologies": {"loop": [(0, 1), (1, 1)]}}, BadSetting, ["topology loop"]),
        (GOOD, {"topologies": {"dead": [(0, 1), (0, 2), (0, 3)]}}, BadSetting, ["topology dead"]),
    ],
)
def test_what_is_no_grammar_is_said(
    productions: Mapping[str, Any], given: Mapping[str, Any], kind: type[TierwiseError], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        made(productions, **given)
    for word in words:
        assert word in str(caught.value)


def test_an_ambiguous_symbol_is_named_with_a_term() -> None:
    with pytest.raises(BadSetting) as caught:
        made({"NET": "series(A, B) | series(B, A) | id", "A": "conv3x3 | zero", "B": "branch(A, A) | zero"})
    text = str(caught.value)
    assert "ambiguous symbol NET" in text
    assert "NET -> series(A, B) and NET -> series(B, A) both give series(zero, zero)" in text


def derivations(productions: Mapping[str, list[str]], symbol: str, depth: int) -> list[str]:
    """Every derivation's term down to a depth, by expanding texts: an independent list with repetitions."""
    found = list[str]()
    if depth:
        for text in productions[symbol]:
            partial = [""]
            for token in text.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split():
                ends = derivations(productions, token, depth - 1) if token in productions else [token]
                partial = [begun + end for begun in partial for end in ends]
            found += partial
    return found


names = st.sampled_from(["A", "B", "id", "zero", "series(A, B)", "series(id, A)", "branch(B, id)", "branch(A, A)"])
bodies = st.lists(names, min_size=1, max_size=3, unique=True)


@settings(deadline=None, max_examples=80)
@given(bodies, bodies)
def test_ambiguity_is_found_where_two_derivations_of_a_short_term_exist(a: list[str], b: list[str]) -> None:
    productions = {"NET": ["series(A, B)", "conv3x3"], "A": a, "B": b}
    try:
        made(productions, depth=4)
    except BadSetting as error:
        if "ambiguous" not in str(error):
            return  # endless, not recursive, ...
        ambiguous = True
    else:
        ambiguous = False
    seen = [term for symbol in productions for term in [*map(str, _repeated(productions, symbol))]]
    assert ambiguous or not seen


def _repeated(productions: Mapping[str, list[str]], symbol: str) -> list[str]:
    terms = derivations(productions, symbol, 4)
    return [term for term in set(terms) if terms.count(term) > 1] if len(terms) < 3_000 else []


TERMS = st.recursive(
    st.sampled_from(["a", "b"]).map(Term),
    lambda inner: st.builds(Term, st.sampled_from(["f", "g"]), st.lists(inner, min_size=1, max_size=2).map(tuple)),
    max_leaves=4,
)


@settings(deadline=None, max_examples=100)
@given(TERMS)
def test_terms_survive_being_written(term: Term) -> None:
    assert read_term(str(term)) == term


def edits(term: Term) -> set[Term]:
    """All terms that one edit makes: another head, a leaf less, a leaf more anywhere."""
    found = {Term(head, term.args) for head in "abfg"}
    for k in range(len(term.args) + 1):
        found |= {Term(term.head, (*term.args[:k], Term(head), *term.args[k:])) for head in "abfg"}
    for k, arg in enumerate(term.args):
        if not arg.args:
            found.add(Term(term.head, (*term.args[:k], *term.args[k + 1 :])))
        found |= {Term(term.head, (*term.args[:k], other, *term.args[k + 1 :])) for other in edits(arg)}
    return found - {term}


def test_distance_is_the_length_of_the_shortest_way_of_edits() -> None:
    start = read_term("f(a, g(b))")
    seen, ring = {start: 0}, {start}
    for steps in range(1, 4):
        ring = {term for old in ring for term in edits(old)} - set(seen)
        seen |= dict.fromkeys(ring, steps)
    assert len(seen) > 1_000
    assert all(distance(start, term) == steps for term, steps in seen.items())


@settings(deadline=None, max_examples=60)
@given(TERMS, TERMS, TERMS)
def test_distance_is_a_metric(a: Term, b: Term, c: Term) -> None:
    assert distance(a, b) == distance(b, a) <= distance(a, c) + distance(c, b)
    assert (distance(a, b) == 0) == (a == b)


def test_a_file_declares_a_grammar() -> None:
    declared = {"kind": "grammar", "start": "NET", "productions": {"NET": "series(OP, OP)", "OP": ["id", "conv3x3"]}}
    assert load_space(declared).size == 4
    with pytest.raises(UnknownName, match="key in space.*shard"):
        load_space(declared | {"shard": ["OP"]})
    with pytest.raises(BadSetting, match="space: depth = 2"):
        load_space(declared | {"depth": 2})
    with pytest.raises(BadSetting, match="start"):
        load_space({key: value for key, value in declared.items() if key != "start"})
