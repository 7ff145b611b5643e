"""What the routes share: the study that is open, the streams, and what may be done."""

from __future__ import annotations

import contextlib
import gzip
import shlex
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tierwise.command_line import going_on
from tierwise.errors import BadSetting, CannotWrite
from tierwise.navigator import Navigator
from tierwise.navigator.columns import wire
from tierwise.navigator.meta import Meta
from tierwise.navigator.progress import State
from tierwise.server.answers import NoStudy, ReadOnly
from tierwise.server.driver import Driver
from tierwise.server.events import Events
from tierwise.study import Study

Opener = Callable[[Path], AbstractContextManager[tuple[Study, Any]]]  # a study file and its benchmark
MORE = 150  # evaluations that a search goes on for where nobody has said how many
REMEMBERED = 12  # arrays kept as they are sent


@dataclass
class Server:
    """opener: opens a study file. folder: where it was started, and new studies are made. token: of the start address.

    truth: whether columns of the table are shown that the search has not seen. total: evaluations aimed at.
    path: of the study. parent: the process that has started this server; without it and without a page it ends.
    """

    opener: Opener
    folder: Path
    token: str
    port: int = 0
    read_only: bool = False
    truth: bool = False
    root_path: str = ""
    total: int | None = None
    path: Path | None = None
    parent: int | None = None
    events: Events = field(default_factory=Events)
    driver: Driver = field(default_factory=Driver)

    def __post_init__(self) -> None:
        self._opened = contextlib.ExitStack()
        self._navigator: Navigator | None = None
        self._sent: OrderedDict[tuple[str, bool], bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def navigator(self) -> Navigator:
        """Of the study that is open. Raises NoStudy."""
        if self._navigator is None:
            raise NoStudy("no study is open: start 'tierwise serve STUDY', or make one on this page")
        return self._navigator

    @property
    def has_study(self) -> bool:
        """Whether one is open."""
        return self._navigator is not None

    def open(self, path: Path) -> None:
        """Show this study from now on, in place of the one before. Raises StudyError."""
        stack = contextlib.ExitStack()
        try:
            study, benchmark = stack.enter_context(self.opener(path))
            navigator = Navigator(study, benchmark, truth=self.truth, total=self.total)
        except BaseException:
            stack.close()
            raise
        stack.callback(navigator.close)
        before, self._opened = self._opened, stack
        self._navigator, self.path = navigator, path
        before.close()
        self.events.tell("study", {"name": path.name}, navigator.mark())

    def close(self) -> None:
        """Let go of the study."""
        self.events.close()
        self._opened.close()

    def writable(self) -> Navigator:
        """The navigator, for what changes the study. Raises ReadOnly, NoStudy."""
        if self.read_only:
            raise ReadOnly("this server only shows the study: start it without --read-only to steer")
        return self.navigator

    def command(self, trials: int | None = None) -> list[str]:
        """The words of the line that goes on with the search; none where there is no such line."""
        navigator = self.navigator
        aim = trials or max(self.total or 0, navigator.study.finished + (0 if self.total else MORE))
        return going_on(navigator.study, navigator.benchmark, aim)

    def meta(self, version: str) -> Meta:
        """What a page is told first."""
        if self._navigator is None:
            return Meta(version, None, None, None, [], self.truth, self.read_only)
        return self._navigator.meta(version, shlex.join(self.command()), self.read_only)

    def state(self) -> State:
        """How the search is doing, and whether one may be started from here."""
        state = self.navigator.state()
        startable = not (self.read_only or state.driving or self.driver.runs) and bool(self.command())
        return replace(state, can_start=startable, error=state.error or self.driver.problem)

    def start(self, trials: int | None = None) -> None:
        """Start a search to so many evaluations in a process of its own. Raises ReadOnly, BadSetting, CannotWrite."""
        study = self.writable().study
        words = self.command(trials)
        if not words or study.folder is None:
            raise BadSetting("run", "this study", "one of a registered benchmark; go on with this one in Python")
        if study.driving or self.driver.runs:
            raise BadSetting("run", "already running", "one search at a time; stop that one first")
        try:
            self.driver.start(words, study.folder / "search.txt")
        except OSError as error:
            raise CannotWrite(study.folder, f"the search cannot be started ({error})") from error
        self.total = self.navigator.total = int(words[words.index("--trials") + 1])

    def packed(self, mark: str, values: np.ndarray[Any, Any], zipped: bool) -> bytes:
        """An array as it is sent; mark: its hash."""
        key = mark, zipped
        with self._lock:
            if key in self._sent:
                self._sent.move_to_end(key)
                return self._sent[key]
        plain = np.ascontiguousarray(wire(values)).tobytes()
        packed = gzip.compress(plain, compresslevel=1, mtime=0) if zipped else plain
        with self._lock:
            self._sent[key] = packed
            while len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)
        return packed
