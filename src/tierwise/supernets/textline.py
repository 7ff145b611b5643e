"""The supernet of text lines: one way through it at a time, because ways differ in the sizes of their maps.

Zhang, Yao, Kwok and Bai, "Searching a High Performance Feature Extractor for Text Recognition Network" (TREFE, 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from tierwise.errors import BadSetting
from tierwise.networks import textline
from tierwise.spaces.textline import BLOCKS, CHANNELS, LAYERS, MIXING, OPS, STAGES, WAYS, WIDE, WIDTH, TextLineSpace
from tierwise.spaces.textline_networks import block, columns, shrink
from tierwise.supernets.supernet import Supernet

PARTS = STAGES + 1  # the stages, and the sequential model


class TextLineSupernet(Supernet):
    """Every operation of every block and layer of a space, for images of its shape; choices are those of the space.

    Stages can be read without what comes behind, by an auxiliary recognition head: recurrent units that all stages
    share, and columns of their own.
    Batch norms take the statistics of the batch at hand, those of a supernet being nobody's.
    """

    def __init__(self, space: TextLineSpace):
        super().__init__()
        self.space, self.choices, self.sites = space, space.choices, tuple(range(len(space.choices)))
        self.stem = textline.stem(space.shape[0], CHANNELS[0])
        self.operations = nn.ModuleDict()
        for k in range(1, STAGES + 1):
            for b in range(1, BLOCKS + 1):
                self.operations[f"stage/{k}/{b}"] = nn.ModuleList(block(k, b, op) for op in OPS)
        for k in range(1, LAYERS + 1):
            self.operations[f"layer/{k}/mixing"] = nn.ModuleList(textline.mixing(name, WIDTH) for name in MIXING)
            self.operations[f"layer/{k}/wide"] = nn.ModuleList(textline.FeedForward(WIDTH, int(t)) for t in WIDE)
        self.columns = nn.ModuleList(columns(k, space.shape) for k in range(1, STAGES + 1))
        self.auxiliary = nn.Sequential(textline.Recurrent(WIDTH), textline.head(WIDTH, space.classes))
        self.head = textline.head(WIDTH, space.classes)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.track_running_stats = False
                module.running_mean = module.running_var = module.num_batches_tracked = None

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, columns, classes + 1) scores. weights: one-hot. Raises BadSetting."""
        for choice, own in zip(self.choices, weights, strict=True):
            if int((own != 0).sum()) != 1 or float(own.detach().max()) != 1:
                raise BadSetting(f"weights of {choice.path}", own.tolist(), "one-hot: sizes of maps cannot be mixed")
        return self.read(x, self.derived(weights))

    def read(self, x: Tensor, genes: Sequence[int], parts: int = PARTS) -> Tensor:
        """Scores of the network with these genes, or of its first stages alone, by the auxiliary head."""
        chosen = dict(zip((choice.path for choice in self.choices), genes, strict=True))
        x = self.stem(x)
        for k in range(1, min(parts, STAGES) + 1):
            x = shrink(k, WAYS[chosen["down/height"]], WAYS[chosen["down/length"]])(x)
            for b in range(1, chosen[f"stage/{k}/blocks"] + 2):
                x = self._operation(f"stage/{k}/{b}", chosen)(x)
        x = self.columns[min(parts, STAGES) - 1](x)
        if parts < PARTS:
            return self.auxiliary(x)
        for k in range(1, chosen["layers"] + 2):
            x = self._operation(f"layer/{k}/wide", chosen)(self._operation(f"layer/{k}/mixing", chosen)(x))
        return self.head(x)

    def _operation(self, path: str, chosen: dict[str, int]) -> nn.Module:
        return cast(nn.ModuleList, self.operations[path])[chosen[path]]

    def loss(self, output: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
        """Connectionist temporal classification; there are no labels to smooth."""
        return textline.ctc_loss(output, target)

    @torch.no_grad()
    def losses(self, x: Tensor, y: Tensor, rows: Sequence[Sequence[int]]) -> list[float]:
        """Of networks by their genes, with the shared weights."""
        return [float(self.loss(self.read(x, genes), y)) for genes in rows]
