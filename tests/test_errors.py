from __future__ import annotations

import inspect
import re

import pytest

from tierwise import errors
from tierwise.errors import (
    BadArchitecture,
    BadModel,
    BadSetting,
    BadTable,
    MissingExtra,
    NotAStudy,
    NotFitted,
    StudyError,
    TierwiseError,
    TooLarge,
    UnknownName,
)

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = dict[str, str]()
    above: list[str] = []
    for line in errors.__doc__.splitlines():
        if found := re.match(r"^    ([│├└─ ]*)(\w+)", line):
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            drawn[found[2]] = above[depth - 1] if depth else "Exception"
    assert drawn == {name: value.__bases__[0].__name__ for name, value in CLASSES.items()}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            UnknownName("space", "nasbench2O1", ["nasbench201", "darts"]),
            'no space "nasbench2O1"; did you mean "nasbench201"? There is: darts, nasbench201',
        ),
        (UnknownName("space", "q", []), 'no space "q". There is: none'),
        (
            MissingExtra("predictor nar", "torch", "torch"),
            "predictor nar needs torch: pip install 'tierwise[torch]'",
        ),
        (BadArchitecture("x/9", "too many"), "not an architecture: 'x/9': too many"),
        (BadSetting("workers", 0, "1 or more"), "workers = 0 is not possible; allowed: 1 or more"),
        (BadTable("a.csv", "broken", range(3)), "a.csv: broken (rows 0, 1, 2)"),
        (BadTable("a.csv", "broken"), "a.csv: broken"),
        (BadModel("m.npz", "damaged"), "m.npz: damaged"),
        (
            TooLarge("s", 10**9, 10**7),
            "space s has 1,000,000,000 architectures, too many to list (at most 10,000,000); use sample() or narrow()",
        ),
        (NotFitted("Tier"), "Tier is not fitted yet: call fit(architectures, labels) first"),
        (NotAStudy("s.db", "not SQLite"), "s.db: not SQLite"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_says_what_was_given_what_is_allowed_and_what_to_do(error: TierwiseError, text: str) -> None:
    assert str(error) == text
    assert isinstance(error, TierwiseError)


def test_a_table_names_ten_rows_and_says_that_there_are_more() -> None:
    error = BadTable("t", "broken", range(100))
    assert error.rows == list(range(10))
    assert str(error).endswith("8, 9, ...)")


def test_fields_are_what_was_given() -> None:
    error = BadSetting("workers", 0, "1 or more")
    assert (error.setting, error.value, error.allowed) == ("workers", 0, "1 or more")
    assert issubclass(NotAStudy, StudyError)
    assert NotAStudy("s.db", "x").path == "s.db"
