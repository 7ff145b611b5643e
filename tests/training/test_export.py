"""What is taken home computes what was found, without tierwise."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.test_fused import Branches, Decides, OfItsOwn, chain
from tierwise import make
from tierwise.errors import BadSetting, MissingExtra
from tierwise.export.formats import read_weights, write_network
from tierwise.export.source import python_source

ALONE = """
import sys
class Refuse:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "tierwise":
            raise ImportError("tierwise is not needed")
sys.meta_path.insert(0, Refuse())
import torch
from safetensors.torch import load_file
space = {"__name__": "taken home"}
exec(open(sys.argv[1]).read(), space)
network = space["Network"]().eval()
network.load_state_dict(load_file(sys.argv[2]))
given = load_file(sys.argv[3])
with torch.no_grad():
    assert torch.equal(network(given["x"]), given["scores"]), "other scores"
"""


class Deep(nn.Module):
    """Named sequences, dictionaries, lists, parameters and buffers of its own."""

    def __init__(self) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict(first=nn.Conv2d(2, 4, 3, padding=1), act=nn.PReLU(4))
        self.body, self.more = nn.Sequential(parts), nn.ModuleDict({"a-b": nn.Conv2d(4, 4, 1), "c": nn.Identity()})
        self.rows = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.scale, self.last = nn.Parameter(torch.randn(4)), nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3))
        self.register_buffer("shift", torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        x = (self.more["a-b"](x) + self.more["c"](x)).mean((2, 3)) * self.scale + self.shift
        for row in self.rows:
            x = row(x)
        return self.last(x)


def of_space(name: str) -> nn.Module:
    space = make("space", name)
    return space.build(space.sample(1, np.random.default_rng(2))[0], classes=5, shape=(3, 8, 8))


NETWORKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "branches": (lambda: Branches(3, False), (2, 4, 4)),
    "of its own": (OfItsOwn, (2, 4, 4)),
    "deep": (Deep, (2, 4, 4)),
    "chain": (lambda: chain(6, 2), (2, 4, 4)),
    "nasbench201": (lambda: of_space("nasbench201"), (3, 8, 8)),
    "nasbench101": (lambda: of_space("nasbench101"), (3, 8, 8)),
    "nats-bench-size": (lambda: of_space("nats-bench-size"), (3, 8, 8)),
    "darts": (lambda: of_space("darts"), (3, 8, 8)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_as_python(name: str):
    torch.manual_seed(0)
    made, shape = NETWORKS[name]
    network = made()
    text = python_source(network, shape, 'a "quoted" title')
    space: dict[str, Any] = {"__name__": "taken home"}
    exec(text, space)  # noqa: S102
    other = space["Network"]()
    other.load_state_dict(network.state_dict())
    x = torch.randn(3, *shape)
    with torch.no_grad():
        assert torch.equal(network.eval()(x), other.eval()(x))
    assert "tierwise" not in text
    assert {line for line in text.splitlines() if "import" in line} <= {
        "import torch", "from torch import Tensor, nn", "from collections import OrderedDict"
    }  # fmt: skip


class Doubling(nn.Module):
    """Twice the channels, by a part that the others have with other numbers too."""

    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.first, self.second = Inner(width, kernel), nn.Conv2d(width, 2 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Inner(nn.Module):
    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x))


def test_classes_that_differ_in_channels_are_one_class():
    network = nn.Sequential(Doubling(2, 3), Doubling(4, 3), Doubling(8, 3))
    text = python_source(network, (2, 4, 4), "")
    assert [line for line in text.splitlines() if line.startswith("class ")] == [
        "class Inner(nn.Module):", "class Doubling(nn.Module):", "class Network(nn.Sequential):"
    ]  # fmt: skip
    assert "Doubling(2, 4), Doubling(4, 8), Doubling(8, 16)" in text
    assert "self.first = Inner(c_in)" in text


def test_classes_that_differ_in_more_than_channels_stay_apart():
    text = python_source(nn.Sequential(Doubling(2, 3), Doubling(4, 1)), (2, 4, 4), "")
    assert "class Inner2(nn.Module):" in text
    assert "class Doubling2(nn.Module):" in text


def test_a_process_without_tierwise_gives_the_same_scores(tmp_path: Path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network, x = Deep(), torch.randn(4, 2, 4, 4)
    for name in ("network.py", "weights.safetensors"):
        write_network(network, tmp_path / name, (2, 4, 4), "deep")
    with torch.no_grad():
        save_file({"x": x, "scores": network.eval()(x)}, tmp_path / "given.safetensors")
    files = [str(tmp_path / name) for name in ("network.py", "weights.safetensors", "given.safetensors")]
    done = subprocess.run([sys.executable, "-c", ALONE, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "given.safetensors",
        "network.py",
        "weights.safetensors",
    ]


def test_programs_and_onnx_give_the_same_scores(tmp_path: Path):
    import onnxruntime

    torch.manual_seed(0)
    network, x = Branches(3, True), torch.randn(5, 2, 4, 4)
    network.train()
    for name in ("model.pt2", "model.onnx"):
        write_network(network, tmp_path / name, (2, 4, 4))
    assert network.training
    with torch.no_grad():
        expected = network.eval()(x)
        assert torch.allclose(torch.export.load(tmp_path / "model.pt2").module()(x), expected, atol=1e-5)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert np.allclose(session.run(None, {"inputs": x.numpy()})[0], expected.numpy(), atol=1e-4)


def test_what_cannot_be_written_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Lying(nn.Module):
        """Its layer does not tell what it does."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.ReLU()
            self.layer.forward = lambda x: x * 3  # pyright: ignore

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

    for network, name, message in (
        (Decides(), "n.py", "torch.fx can trace"),
        (Decides(), "n.pt2", "what torch.export can hold"),
        (Lying(), "n.py", "tell all of their settings"),
        (Branches(3, True), "n.pth", "ends in .py, .safetensors, .pt2, .onnx"),
    ):
        with pytest.raises(BadSetting, match=message):
            write_network(network, tmp_path / name, (2, 4, 4))
    assert not list(tmp_path.iterdir())
    write_network(Branches(3, True), tmp_path / "w.safetensors", (2, 4, 4))
    with pytest.raises(BadSetting, match="of this very network"):
        read_weights(chain(4, 1), tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(BadSetting, match="of this very network"):
        read_weights(Branches(3, True), tmp_path / "w.safetensors")
    for module, name in (("safetensors.torch", "w.safetensors"), ("onnxruntime", "m.onnx")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(MissingExtra, match=r"tierwise\[export\]"):
            write_network(Branches(3, True), tmp_path / name, (2, 4, 4))
