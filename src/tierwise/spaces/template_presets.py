"""Templates to begin with: networks of the literature in small, with alternatives at every place.

Widths are a sixteenth to a quarter of the published ones, so that a supernet trains on a CPU, and maps are pooled
only as long as they have four places a side or more; both may be changed by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tierwise.errors import UnknownName
from tierwise.space import Shape
from tierwise.spaces.template_shapes import Template, infer, read_template

Table = dict[str, Any]
VGG = {  # convolutions of each stage: Simonyan and Zisserman, "Very Deep Convolutional Networks" (2015), table 1
    "vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4),
}  # fmt: skip
DIGITS: Shape = (1, 8, 8)


def preset(name: str, shape: Shape = DIGITS, width: int = 8) -> Template:
    """The template of this name for inputs (c, h, w). width: channels of its first stage. Raises UnknownName."""
    if name not in PRESETS:
        raise UnknownName("template", name, PRESETS)
    build = _Build(shape)
    PRESETS[name][1](build, width)
    return read_template({"name": name, "input": list(shape), "layers": build.layers})


class _Build:
    """Layers so far, and the shape behind them."""

    def __init__(self, shape: Shape):
        self.input, self.layers = shape, list[Table]()

    def add(self, *blocks: Table, name: str = "") -> None:
        """One layer more."""
        self.layers.append({"name": name or f"layer{len(self.layers) + 1}", "blocks": list(blocks)})

    @property
    def shape(self) -> Shape:
        """Of what leaves the last layer."""
        if not self.layers:
            return self.input
        return infer(read_template({"input": list(self.input), "layers": self.layers})).output

    def convolutions(self, filters: int, kernels: Sequence[int] = (3, 5), separable: int = 3) -> None:
        """A layer of convolutions of several kernels, and a separable one."""
        blocks = [conv(filters, kernel) for kernel in kernels]
        self.add(*blocks, *([conv(filters, separable, op="separable", name=f"sep{separable}")] if separable else []))

    def pool(self) -> None:
        """A layer of pools, where the maps are large enough."""
        if len(self.shape) == 3 and min(self.shape[1:]) >= 4:
            self.add(pool("max_pool"), pool("avg_pool"))

    def dense(self, units: int) -> None:
        """Vectors, then a dense layer, with dropout or without."""
        if len(self.shape) > 1:
            self.add({"name": "flatten", "ops": [{"op": "flatten"}]}, name=f"flatten{len(self.layers) + 1}")
        plain = [{"op": "dense", "units": units}, {"op": "relu"}]
        self.add({"name": "dense", "ops": plain}, {"name": "dropped", "ops": [*plain, {"op": "dropout", "rate": 0.3}]})


def conv(filters: int, kernel: int = 3, *, op: str = "conv", name: str = "", **settings: Any) -> Table:
    """Convolution, batch norm, rectifier."""
    first = {"op": op, "filters": filters, "kernel": kernel, **settings}
    return {"name": name or f"conv{kernel}", "ops": [first, {"op": "batch_norm"}, {"op": "relu"}]}


def pool(op: str, kernel: int = 2) -> Table:
    """A pool."""
    return {"name": op.partition("_")[0], "ops": [{"op": op, "kernel": kernel}]}


def _several(filters: int, count: int, name: str) -> Table:
    """Some 3x3 convolutions in a row, as in a stage of VGG."""
    return {"name": name, "ops": [op for _ in range(count) for op in conv(filters)["ops"]]}


def _vgg(stages: Sequence[int]) -> Callable[[_Build, int], None]:
    def build(own: _Build, width: int) -> None:
        for k, count in enumerate(stages):
            for _ in range(count):
                own.convolutions(width * min(2**k, 8))
            own.pool()
        own.dense(width * 8)

    return build


def _test(own: _Build, width: int) -> None:
    """Seven layers of three convolutions, pools of both kinds between, dense layers at the end."""
    for k in range(7):
        own.convolutions(width * min(2 ** (k // 2), 4), (1, 3, 5), separable=0)
        if k % 2:
            own.pool()
    own.dense(width * 4)
    own.dense(width * 4)


def _conv731(own: _Build, width: int) -> None:
    """Three layers of 7x7, 3x3 and 1x1 convolutions."""
    for k in range(3):
        own.convolutions(width * 2**k, (7, 3, 1), separable=0)
        own.pool()


def _depths(counts: Sequence[int]) -> Callable[[_Build, int], None]:
    """Stages, each of so many convolutions or fewer."""

    def build(own: _Build, width: int) -> None:
        for k in range(3):
            own.add(*(_several(width * 2**k, count, f"vgg{count}") for count in counts))
            own.pool()

    return build


def _convs(counts: Sequence[int]) -> Callable[[_Build, int], None]:
    """Layers of so many kernels."""

    def build(own: _Build, width: int) -> None:
        for k in range(3):
            own.convolutions(width * 2**k, counts, separable=0)
            own.pool()

    return build


def _resnet(own: _Build, width: int) -> None:
    """Identity blocks of two depths and a plain one (He et al., "Deep Residual Learning", 2016)."""
    own.add(conv(width))
    for k in range(3):
        filters = width * 2**k
        if k:
            own.add(conv(filters, 3, stride=2, name="stride"), conv(filters, 1, stride=2, name="project"))
        plain = [*conv(filters)["ops"], *conv(filters)["ops"][:2]]
        narrow = [*conv(filters // 2, 1)["ops"], *conv(filters // 2, 3)["ops"], *conv(filters, 1)["ops"][:2]]
        end = [{"op": "add"}, {"op": "relu"}]
        own.add(
            {"name": "identity2", "ops": [*plain, *end]},
            {"name": "bottleneck", "ops": [*narrow, *end]},
            {"name": "plain", "ops": [*plain, {"op": "relu"}]},
        )


def _densenet(own: _Build, width: int) -> None:
    """Convolution blocks whose input is concatenated, and transitions (Huang et al., "DenseNet", 2017)."""
    own.add(conv(width))
    for _ in range(2):
        for _ in range(2):
            normed = [{"op": "batch_norm"}, {"op": "relu"}]
            wide = [*normed, {"op": "conv", "filters": width, "kernel": 3}, {"op": "concat"}]
            narrow = [
                *normed, {"op": "conv", "filters": 2 * width, "kernel": 1}, *normed,
                {"op": "conv", "filters": width, "kernel": 3}, {"op": "concat"},
            ]  # fmt: skip
            own.add({"name": "conv", "ops": wide}, {"name": "bottleneck", "ops": narrow})
        filters = own.shape[0] // 2
        shrink = [{"op": "batch_norm"}, {"op": "relu"}, {"op": "conv", "filters": filters, "kernel": 1}]
        pools = [{"op": "avg_pool"}, {"op": "max_pool"}] if min(own.shape[1:]) >= 4 else [{"op": "identity"}]
        own.add(*({"name": str(p["op"]).partition("_")[0], "ops": [*shrink, p]} for p in pools), name="")


def _lenet(own: _Build, width: int) -> None:
    """LeCun et al., "Gradient-based learning applied to document recognition" (1998), with alternatives."""
    for filters in (6, 16):
        tanh = [{"op": "conv", "filters": filters, "kernel": 5, "bias": True}, {"op": "tanh"}]
        relu = [{"op": "conv", "filters": filters, "kernel": 3, "bias": True}, {"op": "relu"}]
        own.add({"name": "conv5", "ops": tanh}, {"name": "conv3", "ops": relu})
        own.pool()
    own.dense(width * 8)
    own.dense(width * 4)


def _alexnet(own: _Build, width: int) -> None:
    """Krizhevsky et al., "ImageNet classification with deep convolutional neural networks" (2012), in small."""
    for filters, kernels in ((1, (7, 5)), (3, (5, 3)), (4, (3, 5)), (4, (3, 5)), (3, (3, 5))):
        own.convolutions(width * filters, kernels)
        if filters != 4:
            own.pool()
    own.dense(width * 8)
    own.dense(width * 8)


def _mobilenet(own: _Build, width: int) -> None:
    """Separable convolutions (Howard et al., "MobileNets", 2017) beside full ones."""
    own.add(conv(width))
    for k in range(3):
        filters = width * 2 ** (k + 1)
        own.add(*(conv(filters, kernel, op="separable", name=f"sep{kernel}") for kernel in (3, 5)), conv(filters))
        own.pool()


def _small(own: _Build, width: int) -> None:
    """Four layers of four blocks: 50,625 masks, trained in seconds on digits."""
    for k in range(4):
        filters = width * 2 ** (k // 2)
        own.add(conv(filters, 1), conv(filters, 3), conv(filters, 5), conv(filters, 3, op="separable", name="sep3"))
        if k == 1:
            own.add(pool("max_pool"))


PRESETS: dict[str, tuple[str, Callable[[_Build, int], None]]] = {
    "small": ("Small: 4 layers of 4 blocks", _small),
    "test": ("Test network", _test),
    "conv731": ("3 conv layers of 7, 3, 1", _conv731),
    **{name: (f"{name.upper()}-like", _vgg(stages)) for name, stages in VGG.items()},
    "vgg-blocks2": ("VGG blocks of 1 or 2 convolutions", _depths((1, 2))),
    "vgg-blocks3": ("VGG blocks of 1, 2 or 3 convolutions", _depths((1, 2, 3))),
    "conv-blocks2": ("2 conv blocks a layer", _convs((3, 5))),
    "conv-blocks3": ("3 conv blocks a layer", _convs((1, 3, 5))),
    "resnet": ("ResNet identity blocks", _resnet),
    "densenet": ("DenseNet conv and transition blocks", _densenet),
    "mobilenet": ("MobileNet-like", _mobilenet),
    "lenet": ("LeNet-like", _lenet),
    "alexnet": ("AlexNet-like", _alexnet),
}
