"""What changes in the study, told to all open pages together: one look for everybody, five times a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tierwise.errors import TierwiseError
from tierwise.navigator import Navigator
from tierwise.navigator.progress import State
from tierwise.server.answers import as_json

TICK = 0.2  # seconds between two looks
LONGEST_QUEUE = 200  # events that a client may be behind; then its stream ends, and its page comes again


@dataclass(frozen=True, slots=True)
class Event:
    """type: of the contract. data: JSON. id: how far the study is, for a client that comes again."""

    type: str
    data: str
    id: str


class Events:
    """The open streams of a server, and what they are told; from any thread."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._state = ""

    @property
    def open(self) -> int:
        """How many pages listen."""
        return len(self._queues)

    async def listen(self, first: Sequence[Event]) -> AsyncIterator[Event]:
        """The events from now on, behind these."""
        self._loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            for event in first:
                yield event
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)

    def tell(self, kind: str, data: Any, mark: str) -> None:
        """One event for every open stream."""
        self.send([Event(kind, as_json(data), mark)])

    def send(self, events: Sequence[Event]) -> None:
        """To every open stream."""
        if self._loop is not None and events:
            self._loop.call_soon_threadsafe(self._put, [*events])

    def close(self) -> None:
        """End every stream."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, [None])

    def _put(self, events: Sequence[Event | None]) -> None:
        for queue in list(self._queues):
            behind = queue.qsize() + len(events) > LONGEST_QUEUE
            if behind:
                self._queues.discard(queue)
            for event in [None] if behind else events:
                queue.put_nowait(event)

    def look(self, navigator: Navigator, state_of: Callable[[], State]) -> list[Event]:
        """One look at the study: the events that it gives. Called in a thread. state_of: how the search is doing."""
        found: list[tuple[str, Any]] = []
        try:
            changes = navigator.refresh()
            navigator.error = None
            if changes.trials:
                found.append(("trials", navigator.trials(changes.trials)))
            if changes.steering or (changes.trials and navigator.study.steers()):  # results say what a row has brought
                found.append(("steering", navigator.steering()))
            if changes.columns:
                found.append(("columns", [navigator.columns.described[name] for name in changes.columns]))
        except TierwiseError as error:
            navigator.error = str(error)
        mark = navigator.mark()
        events = [Event(kind, as_json(data), mark) for kind, data in found]
        if (state := self._told_anew(navigator, state_of)) is not None:
            events.append(Event("state", state, mark))
        return events

    def _told_anew(self, navigator: Navigator, state_of: Callable[[], State]) -> str | None:
        """The state where it is another than the last one; a file that can not be read has none."""
        try:
            state = as_json(state_of())
        except TierwiseError as error:
            navigator.error = str(error)
            return None
        if state == self._state:
            return None
        self._state = state
        return state
