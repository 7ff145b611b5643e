"""A network as a file: readable Python, weights, a ``torch.export`` program, or ONNX."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tierwise.errors import BadSetting
from tierwise.export.source import python_source
from tierwise.extras import needed

CLOSE = 1e-3  # of the largest output: another runtime orders its sums differently


def write_network(network: nn.Module, path: str | Path, shape: Sequence[int], title: str = "A network") -> None:
    """Write FILE.py, .safetensors, .pt2 or .onnx, checked against the network; the whole file, or nothing.

    shape: of one input. Raises BadSetting for another ending, or a network that the format cannot hold; MissingExtra.
    """
    target = Path(path)
    if target.suffix not in FORMATS:
        raise BadSetting("file", target.name, f"a name that ends in {', '.join(FORMATS)}")
    part = target.with_name(f"{target.stem}.part{target.suffix}")
    training = network.training
    network.cpu().eval()
    try:
        FORMATS[target.suffix](network, part, tuple(shape), title)
        part.replace(target)
    finally:
        network.train(training)
        part.unlink(missing_ok=True)


def read_weights(network: nn.Module, path: str | Path) -> None:
    """Weights of a .safetensors file into the network. Raises BadSetting for those of another one, MissingExtra."""
    safetensors = needed("safetensors.torch", "weights", "safetensors", "export")
    try:
        network.load_state_dict(safetensors.load_file(path))
    except (OSError, RuntimeError, ValueError, *_errors_of("safetensors")) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadSetting("weights", str(path), f"a .safetensors file of this very network ({reason})") from error


def _python(network: nn.Module, path: Path, shape: tuple[int, ...], title: str) -> None:
    path.write_text(python_source(network, shape, title), encoding="utf-8")


def _weights(network: nn.Module, path: Path, shape: tuple[int, ...], title: str) -> None:
    safetensors = needed("safetensors.torch", "weights", "safetensors", "export")
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    safetensors.save_file(state, path, metadata={"title": title})


def _program(network: nn.Module, path: Path, shape: tuple[int, ...], title: str) -> None:
    inputs = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    batch = torch.export.Dim("batch", min=1, max=2**20)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(torch.export.export(network, (inputs,), dynamic_shapes=({0: batch},)), path)
            stored: Callable[[Tensor], Tensor] = torch.export.load(path).module()
    except Exception as error:  # torch.export raises many types for what it cannot capture
        raise _cannot("torch.export", error) from error
    with torch.no_grad():
        _agree("torch.export", network(inputs).numpy(), stored(inputs).numpy())


def _onnx(network: nn.Module, path: Path, shape: tuple[int, ...], title: str) -> None:
    needed("onnxscript", "ONNX", "onnx and onnxscript", "export")
    onnxruntime = needed("onnxruntime", "ONNX", "onnxruntime", "export")
    inputs = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    names: dict[str, Any] = {"input_names": ["inputs"], "output_names": ["scores"]}
    batch = torch.export.Dim("batch", min=1, max=2**20)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of packages that are not needed here
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shapes: Any = ({0: batch},)
            torch.onnx.export(
                network,
                (inputs,),
                path,
                dynamo=True,
                external_data=False,
                verbose=False,
                dynamic_shapes=shapes,
                **names,
            )
    except Exception as error:
        raise _cannot("ONNX", error) from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        _agree("ONNX", network(inputs).numpy(), session.run(None, {"inputs": inputs.numpy()})[0])


FORMATS: dict[str, Callable[[nn.Module, Path, tuple[int, ...], str], None]] = {
    ".py": _python,
    ".safetensors": _weights,
    ".pt2": _program,
    ".onnx": _onnx,
}


def _agree(what: str, expected: np.ndarray, given: np.ndarray) -> None:
    if not np.allclose(expected, given, atol=CLOSE * max(1.0, float(np.abs(expected).max())), rtol=0):
        raise BadSetting("network", what, "a network that gives the same scores there")


def _cannot(what: str, error: Exception) -> BadSetting:
    return BadSetting("network", f"{type(error).__name__}: {str(error).strip()[:300]}", f"what {what} can hold")


def _errors_of(module: str) -> tuple[type[Exception], ...]:
    found = getattr(importlib.import_module(module), "SafetensorError", None)
    return () if found is None else (found,)
