"""What the suites share: running checks, saying what was expected and seen, bounding the cost of a row."""

from __future__ import annotations

import random
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.space import Space

Case = TypeVar("Case")
FEW, MANY = 300, 10_000  # rows whose costs are compared; results of a handful may be remembered somewhere
STEPS_A_ROW = 0.2  # work in chunks of a few thousand rows is fine, a step for every row is not
SLOWER = 10.0  # a row of a large batch may cost that many times one of a small batch: caches, never a square


class NotConforming(AssertionError):
    """Some checks have failed. Fields: ``suite``, ``failures`` (name of check -> what went wrong)."""

    def __init__(self, suite: str, failures: Mapping[str, str]):
        self.suite, self.failures = suite, dict(failures)
        lines = "\n".join(f"  {name}: {text}" for name, text in failures.items())
        super().__init__(f"{suite}: {len(failures)} of its checks failed\n{lines}")


def run_checks(
    suite: str, checks: Sequence[Callable[[Case], None]], case: Case, expected_failures: Collection[str]
) -> None:
    """Run every check. Raises NotConforming, and UnknownName for an expected failure that is no check."""
    names = [check.__name__ for check in checks]
    for name in expected_failures:
        if name not in names:
            raise UnknownName(f"check of {suite}", name, names)
    failures: dict[str, str] = {}
    first: Exception | None = None
    for name, check in zip(names, checks, strict=True):
        try:
            check(case)
        except Exception as error:  # noqa: BLE001  whatever a stranger's plugin raises is a failure of this check
            if name not in expected_failures:
                failures[name] = _text(error)
                first = first or error
        else:
            if name in expected_failures:
                failures[name] = "documented as failing, but it passes: take it out of expected_failures"
    if failures:
        raise NotConforming(suite, failures) from first


def _text(error: Exception) -> str:
    if isinstance(error, AssertionError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (in {last.name}, line {last.lineno} of {last.filename})"


# ---- what a check says ---------------------------------------------------------------------------------


def expect(condition: object, message: str) -> None:
    """Raises AssertionError with this message; unlike ``assert`` also under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def expect_equal(what: str, seen: object, expected: object) -> None:
    """Plain values."""
    expect(seen == expected, f"{what}: expected {expected!r}, seen {seen!r}")


def expect_rows(what: str, seen: Any, expected: Any, *, tolerance: float = 0.0) -> None:
    """Arrays of the same shape, everywhere equal; `tolerance` is relative to the largest number."""
    a, b = np.asarray(seen), np.asarray(expected)
    expect(a.shape == b.shape, f"{what}: expected shape {b.shape}, seen {a.shape}")
    scale = float(np.abs(b).max(initial=0.0)) if tolerance else 0.0
    wrong = np.abs(a - b) > tolerance * scale if tolerance else a != b
    if wrong.any():
        at = tuple(int(x[0]) for x in np.nonzero(wrong))
        raise AssertionError(f"{what}: expected {b[at]!r} in {at}, seen {a[at]!r} ({int(wrong.sum())} differ)")


def expect_error(kind: type[Exception], what: str, call: Callable[[], object], *, naming: str = "") -> None:
    """`call` raises this kind of error, with `naming` in its text."""
    try:
        result = call()
    except kind as error:
        expect(naming in str(error), f"{what}: expected {naming!r} in the message, seen {str(error)!r}")
    except Exception as error:
        raise AssertionError(f"{what}: expected {kind.__name__}, seen {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"{what}: expected {kind.__name__}, seen the result {result!r}")


# ---- spaces of a wanted size ---------------------------------------------------------------------------


def narrowed_to(space: Space, most: int) -> Space:
    """The space itself, or narrowed choice after choice until it has at most `most` architectures."""
    for gene, choice in enumerate(space.choices):
        excess = -(-space.size // most)
        if excess <= 1:
            break
        left = [choice.options[int(o)] for o in np.flatnonzero(space.allowed[gene])]
        try:
            space = space.narrow(choice.path, left[: max(1, len(left) // excess)])
        except BadSetting:  # the first options alone are no architecture, as in a mask with nothing on
            space = space.narrow(choice.path, left[-1:])
    return space


def halved(space: Space) -> tuple[Space, int]:
    """The space with about half of the options of its first free choice, and which choice that is."""
    gene = int(np.argmax(space.allowed.sum(1) > 1))
    choice, left = space.choices[gene], np.flatnonzero(space.allowed[gene])
    expect(len(left) > 1, f"{space!r} has no choice with two options: nothing can be narrowed")
    return space.narrow(choice.path, [choice.options[int(o)] for o in left[: len(left) // 2]]), gene


def distinct(space: Space, n: int, rng: np.random.Generator) -> Architectures:
    """At most `n` different architectures, at random."""
    if space.size <= 20_000:
        return space.at(rng.permutation(space.size)[:n])
    return space.sample(2 * n, rng).unique()[:n]


def option_counts(archs: Architectures, option: str) -> NDArray[np.int64]:
    """(n,) how many choices of each row pick `option`."""
    codes = [c.options.index(option) if option in c.options else -1 for c in archs.space.choices]
    return (archs.genes == np.array(codes)).sum(1)


# ---- global random numbers, and the cost of a row ------------------------------------------------------


def expect_no_global_draw(work: Callable[[], object]) -> None:
    """`work` takes no random number from a generator that it was not given."""
    work()  # whatever is loaded at the first use is there now
    before = global_random_state()
    work()
    expect(global_random_state() == before, "expected no draw from a global generator, seen its state changed")


def global_random_state() -> list[object]:
    """Of Python's, numpy's and, where it is loaded, torch's global generator."""
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002  only read
    states: list[object] = [random.getstate(), name, np.asarray(keys).tolist(), rest]
    if "torch" in sys.modules:
        states.append(sys.modules["torch"].get_rng_state().tolist())
    return states


def expect_bounded_row_cost(what: str, work: Callable[[int], Callable[[], object]], many: int = MANY) -> None:
    """`work(n)` prepares a call on `n` rows: no Python steps a row, no time that grows faster than the rows.

    Steps are counted, not timed, so that a loop is found on a busy machine as well, and nothing else is.
    """
    small, large = work(FEW), work(many)
    for call in (small, large):
        call()  # fills whatever the plugin remembers
    more = (_python_steps(large) - _python_steps(small)) / (many - FEW)
    expect(
        more <= STEPS_A_ROW,
        f"{what}: expected array operations, seen {more:.1f} Python steps for each row: a loop over rows?",
    )
    of_few, of_many = _seconds(small) / FEW, _seconds(large) / many
    expect(
        of_many <= SLOWER * of_few,
        f"{what}: expected a row of {many:,} to cost about as much as one of {FEW}, "
        f"seen {of_many * 1e6:.1f} and {of_few * 1e6:.1f} µs",
    )


def _python_steps(call: Callable[[], object]) -> int:
    """Lines and calls of Python code that `call` runs."""
    steps = 0

    def count(*_: object) -> Any:
        nonlocal steps
        steps += 1
        return count

    before = sys.gettrace()  # a debugger's or a coverage tool's
    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


def _seconds(call: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(3):
        start = time.process_time()  # of this process: the machine may be busy
        call()
        times.append(time.process_time() - start)
    return min(times)
