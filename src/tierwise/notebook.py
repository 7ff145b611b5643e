"""The views of ``tierwise serve`` in a notebook: the kernel answers them itself, without a server or a port.

from tierwise.notebook import Explorer

explorer = Explorer(study)
explorer                         # the last line of a cell
explorer.selected                # the architectures that are selected on the map
explorer.show(study.best(3))
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, MissingExtra, TierwiseError
from tierwise.history import Trial
from tierwise.navigator.selection import packed, unpacked
from tierwise.study import Study

try:
    import anywidget
    import traitlets

    from tierwise.server.app import PREFIX, routes
    from tierwise.server.server import Server
    from tierwise.server.within import asked
except ModuleNotFoundError as missing:
    raise MissingExtra("tierwise.notebook", missing.name or "anywidget", "notebook") from missing

BUILT = Path(__file__).parent / "server" / "static" / "notebook"
CODE = ("frame.js", "frame.css")  # of what is inside the frame
VIEWS = ("all", "map", "architecture", "compare")
LOOK = 0.5  # seconds between two looks at the study
ASKED_AT_ONCE, MOST_COMPARED = 4, 6
HEIGHT = 620  # pixels
KEPT = ("content-type", "content-disposition")  # headers of an answer


class NotBuilt(TierwiseError):
    """The front end is not there."""


class Explorer(anywidget.AnyWidget):
    """A study to look at and to steer in a notebook: map, architectures, compared ones, and what people have said.

    study: open; one in a file is looked at through a connection of its own, so that it may search meanwhile.
    view: "map", "architecture" or "compare" alone, or "all". height: in pixels.
    selected: the architectures that are selected on the map, or the one that was chosen there; ``observe`` it as any
    trait of a widget.
    Raises BadSetting, NotBuilt, and StudyError where the file cannot be read.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)  # mask: of rows of the map; rows: the first; times: how often it was shown
    view = traitlets.Unicode(VIEWS[0]).tag(sync=True)
    height = traitlets.Int(HEIGHT).tag(sync=True)
    selected = traitlets.Instance(Architectures)

    def __init__(self, study: Study, *, view: str = VIEWS[0], height: int = HEIGHT):
        self._server = Server(lambda _: _window(study), Path.cwd(), token="")
        self._routes = routes(self._server)
        self._workers = ThreadPoolExecutor(ASKED_AT_ONCE, "tierwise notebook")
        self._views, self._times = set[str](), 0
        self._ended = threading.Event()
        self._looks: threading.Thread | None = None
        if view not in VIEWS:
            raise BadSetting("view", view, ", ".join(VIEWS))
        if height < 1:
            raise BadSetting("height", height, "at least one pixel")
        if not (BUILT / CODE[0]).is_file():
            raise NotBuilt("this copy of tierwise runs from its sources: build its page once, with 'make page'")
        self._server.open(study.path or Path("study in memory"))
        self._server.path = study.path
        nobody = Architectures(study.space, np.zeros((0, len(study.space.choices)), dtype=np.int16))
        super().__init__(_esm=(BUILT / "widget.js").read_text(), view=view, height=height, selected=nobody)
        self.on_msg(self._heard)

    def show(self, archs: Architecture | Trial | Architectures | Iterable[Architecture | Trial]) -> None:
        """Select these on the map; the first is shown, up to six are compared. Raises BadSetting, BadArchitecture."""
        given = [archs] if isinstance(archs, Architecture | Trial) else list(archs)
        batch = Architectures.of([each.arch if isinstance(each, Trial) else each for each in given], self._space)
        population = self._server.navigator.population
        rows = population.rows(batch)
        if (rows < 0).any():
            where = f"one of the {len(population):,} on the map, a sample and all that were evaluated"
            raise BadSetting("architecture", str(batch[int(np.argmax(rows < 0))]), where)
        mask = np.zeros(len(population), dtype=np.bool_)
        mask[rows] = True
        self._times += 1
        self._shown = {"mask": packed(mask), "rows": rows[:MOST_COMPARED].tolist(), "times": self._times}
        self.selected = batch

    def close(self) -> None:
        """Take the views away and let go of the study's file."""
        self._ended.set()
        self._workers.shutdown(wait=False, cancel_futures=True)
        if self._looks is not None:
            self._looks.join()
        self._server.close()
        super().close()

    @property
    def _space(self) -> Any:
        return self._server.navigator.study.space

    # ---- what the views say, and hear --------------------------------------------------------------------

    def _heard(self, _: object, message: dict[str, Any], _buffers: list[Any]) -> None:
        """A message of a view: a call of the page, its selection, or that the view is there or gone."""
        kind = message.get("kind")
        if kind == "ask":
            self._workers.submit(self._answer, message)
        elif kind == "select":
            mask = message.get("mask")
            archs = self._server.navigator.population.archs
            self.selected = archs[np.flatnonzero(unpacked(mask, len(archs)))] if mask else archs[:0]
        elif kind == "open":
            self._views.add(str(message.get("view")))
            self.send({"kind": "code", "view": message.get("view")}, [(BUILT / name).read_bytes() for name in CODE])
            if self._looks is None:
                self._looks = threading.Thread(target=self._look, name="tierwise notebook looks", daemon=True)
                self._looks.start()
        elif kind == "close":
            self._views.discard(str(message.get("view")))

    def _answer(self, message: dict[str, Any]) -> None:
        body = message.get("body")
        answer = asked(
            self._routes, str(message.get("method")), f"{PREFIX}/{message.get('target')}", (body or "").encode()
        )
        kept = {
            name: answer.headers[name] for name in ("content-type", "content-disposition") if name in answer.headers
        }
        zipped = answer.headers.get("content-encoding") == "gzip"
        content = {"kind": "answer", "id": message.get("id"), "status": answer.status, "headers": kept, "gzip": zipped}
        self.send(content, [answer.body])

    def _look(self) -> None:
        """While a view is open, tell what changes in the study."""
        server = self._server
        while not self._ended.wait(LOOK):
            if self._views and (events := server.events.look(server.navigator, server.state)):
                self.send({"kind": "events", "events": [[event.type, event.data] for event in events]})


@contextlib.contextmanager
def _window(study: Study) -> Generator[tuple[Study, Any]]:
    """The same study through a connection of its own, and its benchmark; one in memory is the one that there is."""
    if study.path is None:
        yield study, study.evaluator
        return
    settings: dict[str, Any] = {"maximize": study.objective, "limits": study.limits, "against": study.against}
    settings |= {"prior": study.prior, "seed": study.seed, "notes": study.notes}
    with Study(study.path, study.space, study.strategy, study.evaluator, **settings) as window:
        yield window, study.evaluator
