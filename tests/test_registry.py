from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from tierwise import registry
from tierwise.encodings.onehot import OneHot
from tierwise.errors import BadSetting, UnknownName
from tierwise.registry import GROUPS, find, installed, make
from tierwise.strategies.evolution import Evolution


@pytest.mark.parametrize("kind", GROUPS)
def test_every_entry_point_loads(kind: registry.Kind) -> None:
    points = installed(kind)
    assert points
    for name in points:
        assert callable(find(kind, name)), f"{kind} {name}"


@pytest.mark.parametrize("kind", GROUPS)
def test_names_come_in_order(kind: registry.Kind) -> None:
    assert list(installed(kind)) == sorted(installed(kind))


def test_a_name_gives_the_class_and_make_gives_one() -> None:
    assert find("encoding", "onehot") is OneHot
    assert make("strategy", "evolution", population=8, tournament=2) == Evolution(8, 2)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(UnknownName, match='no strategy "evolutoin"; did you mean "evolution"') as caught:
        find("strategy", "evolutoin")
    assert caught.value.kind == "strategy"
    assert caught.value.guess == "evolution"
    assert "random" in caught.value.known


def test_an_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(BadSetting, match="populatoin") as caught:
        make("strategy", "evolution", populatoin=8)
    assert caught.value.setting == "settings of strategy evolution"


def test_a_plugin_enters_by_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = EntryPoint("mine", "tests.broken_plugins:Plain", GROUPS["strategy"])
    monkeypatch.setattr(registry, "entry_points", lambda group: [plugin] if group == GROUPS["strategy"] else [])
    installed.cache_clear()
    try:
        assert list(installed("strategy")) == ["mine"]
        assert make("strategy", "mine").ask.__name__ == "ask"
        with pytest.raises(UnknownName, match="There is: none"):
            find("space", "mine")
    finally:
        installed.cache_clear()
