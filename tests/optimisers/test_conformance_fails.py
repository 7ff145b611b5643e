"""Every check of the suite finds the optimiser that breaks it."""

from __future__ import annotations

import pytest

from tests.optimisers.broken import FAULTS
from tierwise.testing import NotConforming
from tierwise.testing.optimiser import CHECKS, OptimiserCase
from tierwise.testing.suite import run_checks

# told by the search, not by the optimiser: none can break it
ALWAYS = {"every_epoch_is_told"}


@pytest.mark.parametrize("name", FAULTS)
def test_broken_optimiser(name: str):
    check = next(check for check in CHECKS if check.__name__ == name)
    with pytest.raises(NotConforming) as caught:
        run_checks("check_optimiser", [check], OptimiserCase(lambda: FAULTS[name]), ())
    assert set(caught.value.failures) == {name}


def test_every_check_has_an_optimiser_that_breaks_it():
    assert {check.__name__ for check in CHECKS} - ALWAYS == set(FAULTS)
