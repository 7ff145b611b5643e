"""The hierarchical NAS-Bench-201 space: 10^375 networks from stages down to the layers of a convolution.

Schrodi et al., "Construction of Hierarchical Neural Architecture Search Spaces based on Context-free Grammars" (2023).
Their grammar writes a convolution twice among the five operations of an edge, which makes 10^446 derivations.
"""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.spaces.grammar import Grammar

PRODUCTIONS: Mapping[str, str] = {
    "D2": "series(D1, D1, D0) | series(D0, D1, D1) | series(D1, D1, D0, D0)",
    "D1": "series(C, C, DOWN) | series(C, C, C, DOWN) | residual(C, C, DOWN, DOWN)",
    "D0": "series(C, C, CELL) | series(C, C, C, CELL) | residual(C, C, CELL, CELL)",
    "DOWN": "series(CELL, res_block) | series(CELL, CELL, res_block) | residual(CELL, res_block, res_block)",
    "C": "series(CELL, CELL) | series(CELL, CELL, CELL) | residual(CELL, CELL, CELL)",
    "CELL": "cell(OPS, OPS, OPS, OPS, OPS, OPS)",
    "OPS": "id | zero | avg_pool_3x3 | CONVBLOCK | CONVBLOCK",
    "CONVBLOCK": "series(ACT, CONV, NORM)",
    "ACT": "relu | hardswish | mish",
    "CONV": "bare_conv_3x3 | bare_conv_1x1 | bare_dw_conv_3x3",
    "NORM": "batch_norm | instance_norm | layer_norm",
}


class HNASBench201(Grammar):
    """Two of three stages halve the maps; D2, D1 and D0 count how often their terms still have to.

    channels: behind the stem, doubled by each residual block, 16 as published. connected: leave out terms in which
    ``zero`` cuts every path of a part, as the authors' code does for cells.
    """

    def __init__(self, channels: int = 16, connected: bool = False):
        super().__init__("hnasbench201", "D2", PRODUCTIONS, channels=channels, connected=connected)
