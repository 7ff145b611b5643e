"""The inline executor: at submission, in this process, one after another."""

from __future__ import annotations

import os
from concurrent.futures import Executor

import pytest

from tierwise.errors import BadSetting
from tierwise.executors.inline import inline


def test_it_runs_at_submission_and_here():
    with inline() as engine:
        seen: list[int] = []
        future = engine.submit(lambda x, *, y: seen.append(x + y) or os.getpid(), 1, y=2)
        assert seen == [3]
        assert future.done()
        assert future.result() == os.getpid()
        assert isinstance(engine, Executor)


def test_an_error_belongs_to_the_future_but_ctrl_c_does_not():
    def stop() -> None:
        raise KeyboardInterrupt

    with inline() as engine:
        assert isinstance(engine.submit(lambda: 1 / 0).exception(), ZeroDivisionError)
        with pytest.raises(KeyboardInterrupt):
            engine.submit(stop)


def test_more_than_one_worker_is_refused_and_the_way_out_named():
    with pytest.raises(BadSetting, match="executor 'local'"):
        inline(workers=2)
