"""Names in Python files, ``my_module.py:Net``: whatever is opened by such a name runs the file.

A file is run where a person names it: in ``load_space`` or with ``--space``. A study, or the TOML file of a part of a
space, may name one too but cannot make it run: that takes a file that a person has named before.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from tierwise.errors import BadSetting, UnknownName

_NAMED = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)")
_allowed: set[Path] = set()


def named(text: str) -> tuple[Path, str] | None:
    """File and name of ``"file.py:Name"``, None for any other text."""
    found = _NAMED.fullmatch(text)
    return (Path(found["file"]), found["name"]) if found else None


def allow(files: Iterable[Path]) -> None:
    """A person has named these files."""
    _allowed.update(file.resolve() for file in files)


def check_allowed(file: Path) -> None:
    """Raises BadSetting for a file that no person has named."""
    if file.resolve() not in _allowed:
        allowed = "code that you have named yourself: load_space, or --space, with the file and a name in it runs it"
        raise BadSetting("Python file", str(file), allowed)


def value(file: Path, name: str) -> Any:
    """What has this name in the file, which is run once a process. Raises BadSetting, UnknownName."""
    module = _module(str(file.resolve()))
    if not hasattr(module, name):
        own = [key for key, each in vars(module).items() if getattr(each, "__module__", None) == module.__name__]
        raise UnknownName(f"name in {file}", name, own)
    return getattr(module, name)


@functools.cache
def _module(path: str) -> ModuleType:
    """The file as a module that finds what is beside it, as if it were run as a script."""
    file = Path(path)
    name = f"{file.stem} in {file.parent}"  # no import statement can mean it
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not file.is_file():
        raise BadSetting("Python file", path, "a file that is there")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there for the module of a class
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise BadSetting("Python file", path, f"one that runs; it raises {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(file.parent))
    return module
