"""A part of a space in a file: saved and opened, from other folders too, and what is refused."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest

from tests.small_spaces import Flat, Grid, Unordered
from tierwise import load_space, make, save_space
from tierwise.errors import BadSetting, UnknownName
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.subset import Subset, part
from tierwise.testing import check_space

CELLS = 'kind = "edges"\nname = "cells"\nnodes = 3\nops = ["none", "skip", "conv"]\nzero = "none"\nidentity = "skip"\n'


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "cells.toml"
    path.write_text(CELLS)
    return path


def test_a_narrowed_space_is_a_few_lines(tmp_path: Path) -> None:
    space = NASBench201().narrow("cell/0-1", ["none", "nor_conv_3x3"]).narrow("cell/2-3", ["skip_connect"])
    save_space(space, tmp_path / "small.toml")
    assert load_space(tmp_path / "small.toml") == space
    assert (tmp_path / "small.toml").read_text() == (
        '# 1,250 of 15,625 architectures of nasbench201\nkind = "part"\nbase = "nasbench201"\n\n[allowed]\n'
        '"cell/0-1" = ["none", "nor_conv_3x3"]\n"cell/2-3" = ["skip_connect"]\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["small.toml"]


def test_listed_members_keep_their_order_and_conform(tmp_path: Path) -> None:
    whole = NASBench201().narrow("cell/0-1", ["none", "nor_conv_3x3"])
    space = part(whole, whole.sample(200, np.random.default_rng(0)).unique())
    save_space(space, tmp_path / "small.toml")
    opened = load_space(tmp_path / "small.toml")
    assert opened == space
    assert opened.enumerate().genes.tolist() == space.enumerate().genes.tolist()
    assert opened.size < 200
    check_space(opened)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench-graph", "nats-bench-size", "darts"])
def test_parts_of_every_registered_space(name: str, tmp_path: Path) -> None:
    space = make("space", name)
    choice = space.choices[-1]
    narrowed = space.narrow(choice.path, choice.options[:2])
    members = part(space, space.sample(50, np.random.default_rng(0)).unique())
    for k, each in enumerate((narrowed, members, space)):
        save_space(each, tmp_path / f"{k}.toml")
        assert load_space(tmp_path / f"{k}.toml") == each


def test_a_part_of_a_part_is_a_part_of_the_origin(cells: Path, tmp_path: Path) -> None:
    space = load_space(cells)
    larger = Subset(space, space.enumerate()[np.arange(0, 27, 2)])
    save_space(larger, tmp_path / "larger.toml", cells)
    smaller = larger.narrow("cell/0-1", ["skip", "conv"])
    assert smaller.origin == space
    for base in (cells, tmp_path / "larger.toml"):
        save_space(smaller, tmp_path / "smaller.toml", base)
        assert 'base = "mine/cells.toml"' in (tmp_path / "smaller.toml").read_text()
        opened = load_space(tmp_path / "smaller.toml")
        assert opened.enumerate().genes.tolist() == smaller.enumerate().genes.tolist()
    assert opened == part(smaller, smaller.enumerate())


def test_a_base_in_the_same_folder_may_move_with_the_part(cells: Path, tmp_path: Path) -> None:
    small = load_space(cells).narrow("cell/0-1", ["none"])
    with contextlib.chdir(cells.parent):
        save_space(small, "small.toml", "cells.toml")
    moved = cells.parent.rename(tmp_path / "moved")
    assert load_space(moved / "small.toml") == small
    (tmp_path / "other").mkdir()
    save_space(small, tmp_path / "other" / "small.toml", moved / "cells.toml")
    (tmp_path / "other").rename(tmp_path / "another")
    assert load_space(tmp_path / "another" / "small.toml") == small


def test_a_dict_declares_a_part_too() -> None:
    given = {"kind": "part", "base": "nasbench201", "allowed": {"cell/0-1": ["none"]}}
    assert load_space(given) == NASBench201().narrow("cell/0-1", ["none"])


def test_quotes_and_other_marks_in_names(tmp_path: Path) -> None:
    odd = ["'''", 'a"b', "c\\d", "e\x7f\u2028\n", "f"]
    declared = tmp_path / 'o"dd.toml'
    texts = [f'"{c}"' for c in ["'''", 'a\\"b', "c\\\\d", "e\\u007f\u2028\\n", "f"]]
    declared.write_text(f'kind = "edges"\nname = "odd"\nnodes = 3\nops = [{", ".join(texts)}]\n', encoding="utf-8")
    space = load_space(declared)
    assert list(space.choices[0].options) == odd
    small = space.narrow("cell/0-1", odd[:4])
    save_space(small, tmp_path / "small.toml", declared)
    assert load_space(tmp_path / "small.toml") == small


PART = 'kind = "part"\nbase = "nasbench201"\n'
MEMBERS = PART + "members = '''\n0-1-2-3-4-0\n1-1-1-1-1-1\n'''\n"
MISTAKES = {
    "no base": ('kind = "part"', "base", "this key is needed"),
    "an unknown base": (PART.replace("h201", "h2O1"), "space", 'did you mean "nasbench201"'),
    "a base that is not there": (PART.replace("nasbench201", "mine.toml"), "mine.toml", "a readable TOML or JSON file"),
    "a broken base": (PART.replace("nasbench201", "broken.toml"), "broken.toml", "nodes = 'two'"),
    "a part as base": (PART.replace("nasbench201", "fine.toml"), "base", "not a part of one"),
    "itself as base": (PART.replace("nasbench201", "small.toml"), "base", "not a part of one"),
    "an unknown key": (PART + "alowed = {}", "key", 'did you mean "allowed"'),
    "an unknown choice": (PART + '[allowed]\n"cell/0-4" = ["none"]', "choice", 'no choice in small.toml "cell/0-4"'),
    "an unknown option": (PART + '[allowed]\n"cell/0-1" = ["nine"]', "option of cell/0-1", 'did you mean "none"'),
    "no option": (PART + '[allowed]\n"cell/0-1" = []', "allowed.cell/0-1", "at least 1 item"),
    "other choices": (MEMBERS + 'choices = "00000000"', "choices", "others than when the file was written"),
    "no members": (PART + 'members = ""', "members of a subset", "one architecture or more"),
    "a member twice": (MEMBERS.replace("1-1-1-1-1-1", "0-1-2-3-4-0"), "members of a subset", "each once"),
    "a gene too few": (MEMBERS.replace("1-1-1-1-1-1", "1-1-1-1-1"), "members, line 2", "6 genes of nasbench201"),
    "a gene too large": (MEMBERS.replace("1-1-1-1-1-1", "1-1-1-1-1-99999"), "members, line 2", "6 genes"),
    "no gene": (MEMBERS.replace("0-1-2", "\n0-x-2"), "members, line 2", "'0-x-2-3-4-0'"),
    "a member outside": (MEMBERS + '[allowed]\n"cell/0-1" = ["none"]', "members, line 2", "architectures of <space"),
    "an inactive gene": (MEMBERS.replace("1-1-1-1-1-1", "_-1-1-1-1-1"), "members, line 2", "architectures of <space"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_file_and_field(mistake: str, tmp_path: Path) -> None:
    text, field, said = MISTAKES[mistake]
    (tmp_path / "fine.toml").write_text(PART)
    (tmp_path / "broken.toml").write_text('kind = "edges"\nnodes = "two"\nops = ["a", "b"]')
    (tmp_path / "small.toml").write_text(text)
    with pytest.raises((BadSetting, UnknownName), match=re.escape(said)) as caught:
        load_space(tmp_path / "small.toml")
    assert field in str(caught.value)
    assert "small.toml" in str(caught.value)


def test_what_cannot_be_saved(cells: Path, tmp_path: Path) -> None:
    small = load_space(cells).narrow("cell/0-1", ["none"])
    target = tmp_path / "small.toml"
    with pytest.raises(BadSetting, match="the TOML file that declares the space cells"):
        save_space(small, target)
    with pytest.raises(BadSetting, match="what declares <space cells: 27 architectures>"):
        save_space(small, target, "nasbench201")
    with pytest.raises(BadSetting, match=r"readable TOML or JSON file.*nasbench2O1"):
        save_space(small, target, "nasbench2O1")
    with pytest.raises(BadSetting, match="declares the space flat"):
        save_space(Flat(), target)
    assert not list(tmp_path.glob("small*"))
    target.write_text("older")
    with pytest.raises(BadSetting, match="a path that can be written"):
        save_space(small, tmp_path / "nowhere" / "small.toml", cells)
    assert target.read_text() == "older"


@pytest.mark.parametrize("space", [Grid(), Unordered()], ids=repr)
def test_the_origin_of_what_is_narrowed_and_of_its_parts(space: Grid | Unordered) -> None:
    narrowed = space.narrow(space.choices[0].path, ["a", "b"])
    some = part(narrowed, narrowed.at([1, 0]))
    assert space.origin is space
    assert narrowed.origin == some.origin == some.narrow(space.choices[0].path, ["a"]).origin == space
    assert some.whole == narrowed
    assert part(some, some.at([0])) == Subset(narrowed, narrowed.at([1]))
