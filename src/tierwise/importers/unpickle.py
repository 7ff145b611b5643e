"""Reads the pickles of strangers: an interpreter of the few opcodes that tables of numbers need, which runs nothing.

Python's own unpickler imports and calls whatever a file names. This one knows containers, texts, numbers and five
global names, which stand for themselves and are never looked up; calling one makes a value here, in this module.
Every other opcode and every other name is refused, and named. Memory stays in proportion to the bytes read: lengths
are compared with what is there before anything is allocated, containers and the stack are counted, and compressed
files are opened in pieces up to a limit.

A value may be shared or contain itself: walk it by the keys that you expect, never by recursion.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from tierwise.errors import BadTable
from tierwise.importers import pickled_numpy
from tierwise.importers.pickled_numpy import ALLOWED, ARRAYS, SCALAR, Global, Refused

MOST_STACK = 100_000
MOST_DEPTH = 64
FREE_CONTAINERS = 10_000
BYTES_A_CONTAINER = 16  # beyond the first: real tables have 25 bytes and more for each list, dict or tuple
CODE_NAMES = {ord(op.code): op.name for op in pickletools.opcodes}
ATOMS = frozenset({str, int, float, bool, type(None)})
MOST_INTERNED = 100_000
Shrink = Callable[[dict[Any, Any]], None]
_FLOAT = struct.Struct(">d").unpack_from


def load(stream: Iterator[bytes], source: str | Path, *, arrays: bool = False, shrink: Shrink | None = None) -> Any:
    """The value of a binary pickle (protocols 2 to 5) that comes in pieces. Raises BadTable and nothing else.

    Allowed are dict, list, tuple, set, texts, bytes, numbers of up to 64 bits, OrderedDict (becomes dict) and numpy
    scalars (become Python values); with `arrays` also arrays of numbers (become PickledArray). Everything else is
    refused by name. `shrink` sees each dict when items were put in and may take out what nobody needs, so that a
    large file never lies in memory as a whole.
    """
    reader = _Interpreter(stream, {**ALLOWED, **ARRAYS} if arrays else ALLOWED, shrink)
    try:
        return reader.run()
    except Refused as refused:
        raise BadTable(source, f"refused: {refused} (at byte {reader.offset:,} of the pickle)") from None
    except (struct.error, UnicodeDecodeError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BadTable(source, f"not a sound pickle ({error}), at byte {reader.offset:,}") from error


def loads(data: bytes, source: str | Path, *, arrays: bool = False) -> Any:
    """``load`` of bytes in memory."""
    return load(iter((data,)), source, arrays=arrays)


class _Interpreter:
    """The stack machine; ``stack`` is the part above the last mark, the rest waits in ``marks``."""

    def __init__(self, stream: Iterator[bytes], allowed: dict[tuple[str, str], Global], shrink: Shrink | None):
        self.stream, self.allowed, self.shrink = stream, allowed, shrink
        self.texts: dict[bytes, str] = {}  # a file repeats its keys for every run
        self.data, self.at, self.before = b"", 0, 0
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: list[Any] = []
        self.containers = 0
        self.waiting = 0  # values in `marks`

    @property
    def offset(self) -> int:
        return self.before + self.at

    def take(self, size: int) -> bytes:
        """The next `size` bytes; nothing is allocated for what is not there."""
        while len(self.data) - self.at < size:
            rest = self.data[self.at :]
            piece = next(self.stream, None)
            if piece is None:
                raise Refused(f"the file ends early: {size:,} bytes claimed, {len(rest):,} left")
            self.before += self.at
            self.data, self.at = rest + piece, 0
        self.at += size
        return self.data[self.at - size : self.at]

    def run(self) -> Any:
        """Interpret until STOP. The branches are the opcodes that a table consists of, most frequent first."""
        handlers, memo = HANDLERS, self.memo
        while True:
            if len(self.data) - self.at < 300:
                code = self.take(1)[0]
            else:
                code = self.data[self.at]
                self.at += 1
            if code == 0x47 and len(self.data) - self.at >= 8:  # BINFLOAT
                self.stack.append(_FLOAT(self.data, self.at)[0])
                self.at += 8
            elif code == 0x94:  # MEMOIZE
                memo.append(self.stack[-1])
            elif code == 0x2E:  # STOP
                return self.finish()
            elif handler := handlers.get(code):
                handler(self)
            else:
                raise Refused(f"the opcode {CODE_NAMES.get(code, f'0x{code:02x}')}")
            if len(self.stack) + self.waiting > MOST_STACK:
                raise Refused(f"more than {MOST_STACK:,} values wait for a container")

    def finish(self) -> Any:
        if len(self.stack) != 1 or self.marks:
            raise Refused(f"the pickle stops with {len(self.stack)} values and {len(self.marks)} open marks")
        if len(self.data) > self.at or any(self.stream):
            raise Refused("bytes follow the end of the pickle")
        return self.stack[0]

    def contained(self, value: Any) -> None:
        """Put a new container on the stack, counted."""
        self.containers += 1
        if self.containers > FREE_CONTAINERS + self.offset // BYTES_A_CONTAINER:
            raise Refused(f"{self.containers:,} containers in {self.offset:,} bytes, more than a table has")
        self.stack.append(value)

    def mark(self) -> None:
        if len(self.marks) >= MOST_DEPTH:
            raise Refused(f"values nested deeper than {MOST_DEPTH}")
        self.marks.append(self.stack)
        self.waiting += len(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        if not self.marks:
            raise Refused("an end without a mark")
        items, self.stack = self.stack, self.marks.pop()
        self.waiting -= len(self.stack)
        return items

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise Refused("a value is missing on the stack")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise Refused(f"an item for something that is no {kind.__name__}")
        return self.stack[-1]

    def line(self) -> str:
        text = bytearray()
        while (byte := self.take(1)) != b"\n":
            text += byte
            if len(text) > 256:
                raise Refused("a global name of more than 256 bytes")
        return text.decode("utf-8")

    def recall(self, index: int) -> None:
        if index >= len(self.memo):
            raise Refused(f"memo entry {index:,}, of {len(self.memo):,}")
        self.stack.append(self.memo[index])

    def remember(self, index: int) -> None:
        if index > len(self.memo):
            raise Refused(f"memo entry {index:,} after {len(self.memo):,}; entries are numbered in order")
        self.memo[index : index + 1] = [self.stack[-1]]

    def tuple(self, items: list[Any]) -> None:
        if any(type(a) is tuple and any(type(b) is tuple for b in a) for a in items):
            raise Refused("tuples nested deeper than two")
        self.contained(tuple(items))

    def put(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise Refused("a key without a value")
        target = self.top(dict)
        for key in pairs[::2]:
            if type(key) not in ATOMS and not (type(key) is tuple and all(type(a) in ATOMS for a in key)):
                raise Refused(f"a dict key of type {type(key).__name__}")
        target.update(zip(pairs[::2], pairs[1::2], strict=True))
        if self.shrink:
            self.shrink(target)

    def add(self, items: list[Any]) -> None:
        if not all(type(a) in ATOMS for a in items):
            raise Refused("a set of something else than texts and numbers")
        self.top(set).update(items)

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Refused("a global name that is no text")
        if (module, name) not in self.allowed:
            shown = f"{module}.{name}"[:120]
            raise Refused(f"the name {shown!r}; allowed are only {', '.join('.'.join(k) for k in self.allowed)}")
        self.stack.append(self.allowed[module, name])

    def reduce(self) -> None:
        called, given = self.pop(2)
        if type(called) is not Global or type(given) is not tuple:
            raise Refused(f"a call of {type(called).__name__}")
        value = pickled_numpy.call(called, cast(tuple[Any, ...], given))
        if called is SCALAR:
            self.stack.append(value)
        else:
            self.contained(value)

    def build(self) -> None:
        target, state = self.pop(2)
        pickled_numpy.set_state(target, state)
        self.stack.append(target)

    def number(self, size: int, signed: bool) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def integer(self, size: int) -> None:
        if size > 9:  # 64 bits without a sign take nine bytes
            raise Refused(f"a whole number of {size:,} bytes")
        self.stack.append(self.number(size, signed=True))

    def text(self, size: int) -> None:
        content = self.take(size)
        text = self.texts.get(content)
        if text is None:
            text = content.decode("utf-8", "surrogatepass")
            if len(self.texts) < MOST_INTERNED:
                self.texts[content] = text
        self.stack.append(text)

    def frame(self) -> None:
        self.take(8)

    def protocol(self) -> None:
        version = self.number(1, signed=False)
        if not 2 <= version <= 5:
            raise Refused(f"pickle protocol {version}; read are 2 to 5")


Handler = Callable[[_Interpreter], None]


def _sized(size: int, use: Callable[[_Interpreter, int], None]) -> Handler:
    """An opcode with a length of `size` bytes before its content, or an index of `size` bytes."""
    return lambda m: use(m, m.number(size, signed=False))


def _constant(value: Any) -> Handler:
    return lambda m: m.stack.append(value)


def _bytes(m: _Interpreter, size: int) -> None:
    m.stack.append(m.take(size))


def _list_items(m: _Interpreter, items: list[Any]) -> None:
    m.top(list).extend(items)


HANDLERS: dict[int, Handler] = {
    ord("K"): lambda m: m.stack.append(m.take(1)[0]),
    ord("G"): lambda m: m.stack.append(_FLOAT(m.take(8))[0]),
    ord("h"): _sized(1, _Interpreter.recall),
    ord("j"): _sized(4, _Interpreter.recall),
    0x8C: _sized(1, _Interpreter.text),
    ord("X"): _sized(4, _Interpreter.text),
    0x8D: _sized(8, _Interpreter.text),
    ord("q"): _sized(1, _Interpreter.remember),
    ord("r"): _sized(4, _Interpreter.remember),
    ord("M"): lambda m: m.stack.append(m.number(2, signed=False)),
    ord("J"): lambda m: m.stack.append(m.number(4, signed=True)),
    0x8A: _sized(1, _Interpreter.integer),
    0x8B: _sized(4, _Interpreter.integer),
    ord("C"): _sized(1, _bytes),
    ord("B"): _sized(4, _bytes),
    0x8E: _sized(8, _bytes),
    ord("N"): _constant(None),
    0x88: _constant(True),
    0x89: _constant(False),
    ord("}"): lambda m: m.contained({}),
    ord("]"): lambda m: m.contained([]),
    0x8F: lambda m: m.contained(set()),
    ord(")"): _constant(()),
    0x85: lambda m: m.tuple(m.pop(1)),
    0x86: lambda m: m.tuple(m.pop(2)),
    0x87: lambda m: m.tuple(m.pop(3)),
    ord("t"): lambda m: m.tuple(m.since_mark()),
    ord("("): _Interpreter.mark,
    ord("s"): lambda m: m.put(m.pop(2)),
    ord("u"): lambda m: m.put(m.since_mark()),
    ord("a"): lambda m: _list_items(m, m.pop(1)),
    ord("e"): lambda m: _list_items(m, m.since_mark()),
    0x90: lambda m: m.add(m.since_mark()),
    ord("c"): lambda m: m.name(m.line(), m.line()),
    0x93: lambda m: m.name(*m.pop(2)),
    ord("R"): _Interpreter.reduce,
    ord("b"): _Interpreter.build,
    0x80: _Interpreter.protocol,
    0x95: _Interpreter.frame,  # FRAME: a hint of how much to read ahead
}
