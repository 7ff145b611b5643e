from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tierwise.architecture import Architecture
from tierwise.errors import BadSetting
from tierwise.spaces.darts import DARTS
from tierwise.spaces.edges import Edges
from tierwise.spaces.nasbench201 import OPS, NASBench201
from tierwise.spaces.network import Network, Stage
from tierwise.supernets.cells import CellSupernet, MixedCell
from tierwise.supernets.darts import DARTSSupernet
from tierwise.supernets.stage_wiring import StageWiring, discrete_cell
from tierwise.supernets.supernet import Supernet

SMALL = Network(stages=(Stage(2, 4), Stage(1, 8)))
IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def space(nodes: int = 4) -> Edges:
    return Edges("cells", nodes, OPS, network=SMALL)


def genes_of(space: Edges, seed: int) -> tuple[int, ...]:
    return space.sample(1, np.random.default_rng(seed))[0].genes


def trained(supernet: Supernet) -> Supernet:
    """With weights and running statistics that are not those of a new one."""
    generator = torch.Generator().manual_seed(1)
    for value in supernet.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) * 0.4 + 0.1)
    return supernet


def scores(network: nn.Module, *arguments: object) -> Tensor:
    with torch.no_grad():
        return network.eval()(*arguments)


def copy(target: nn.Module, source: nn.Module) -> None:
    target.load_state_dict(source.state_dict())


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 16)], ids=["images", "signals"])
@pytest.mark.parametrize("seed", range(4))
def test_one_hot_weights_are_the_network_that_the_space_builds(seed: int, shape: tuple[int, ...]):
    cells, x = space(), torch.randn(5, *shape, generator=torch.Generator().manual_seed(3))
    genes = genes_of(cells, seed)
    supernet = trained(CellSupernet(cells, classes=4, shape=shape))
    network = cells.build(Architecture("cells", genes), classes=4, shape=shape)
    live = cells.live(cells.sample(1, np.random.default_rng(seed)))[0]
    for theirs, ours in zip(network, supernet.layers, strict=True):
        if isinstance(ours, MixedCell):
            kept = [mixture.candidates[g] for mixture, g, on in zip(ours.mixtures, genes, live, strict=True) if on]
            for target, source in zip(theirs.operations, kept, strict=True):
                copy(target, source)
        else:
            copy(theirs, ours)
    np.testing.assert_allclose(scores(supernet, x, supernet.one_hot(genes)), scores(network, x), rtol=1e-5, atol=1e-6)


def test_a_supernet_costs_its_skeleton_and_every_candidate_once():
    supernet = CellSupernet(space(), classes=4, shape=(3, 8, 8))
    cells = 2 * 6 * (10 * 4 * 4 + 2 * 2 * 4) + 6 * (10 * 8 * 8 + 2 * 2 * 8)  # convolutions of 1 and 9, and their norms
    around = (9 * 3 * 4 + 8) + (9 * 4 * 8 + 16) + 16 + (8 * 4 + 4)
    assert sum(p.numel() for p in supernet.parameters()) == cells + around


def test_mixed_weights_are_a_mean_of_what_each_candidate_gives():
    cells = Edges("one", 2, OPS, network=Network(stages=(Stage(1, 4),)))
    supernet = trained(CellSupernet(cells, classes=3, shape=(3, 8, 8)))
    stem, cell, head = supernet.layers
    weights = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25])
    supernet.eval()
    with torch.no_grad():
        entering = stem(IMAGES)
        each = [candidate(entering) for candidate in cell.mixtures[0].candidates]
        expected = head(sum(w * e for w, e in zip(weights.tolist(), each, strict=True)))
        torch.testing.assert_close(supernet(IMAGES, [weights]), expected)


def test_stages_of_their_own_have_choices_of_their_own():
    cells = space()
    supernet = CellSupernet(cells, classes=4, shape=(3, 8, 8), per_stage=True)
    assert [choice.path for choice in supernet.choices[5:7]] == ["0/cell/2-3", "1/cell/0-1"]
    one, two = genes_of(cells, 0), genes_of(cells, 1)
    assert supernet.cells([*one, *two]) == [one, two]
    assert CellSupernet(cells, classes=4, shape=(3, 8, 8)).cells(one) == [one, one]
    sites = supernet.one_hot([*one, *two])
    drawn = tuple(int(site.argmax()) for site in sites)
    assert drawn == (*one, *one, *two)  # two cells in the first stage


def test_the_networks_of_nasbench201_are_covered():
    supernet = CellSupernet(NASBench201(), classes=4, shape=(1, 8, 8), network=SMALL)
    assert supernet.derived([torch.tensor([0.1, 0.2, 0.1, 0.5, 0.1])] * 6) == (3,) * 6
    assert len(supernet.sites) == 3 * 6


# ---- DARTS ---------------------------------------------------------------------------------------------------


def darts_weights(seed: int, choices: int = 28, ops: int = 8) -> list[Tensor]:
    return list(torch.rand(choices, ops, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("seed", range(3))
def test_derived_cells_are_the_network_that_darts_builds(seed: int):
    supernet = trained(DARTSSupernet(classes=4, shape=(3, 8, 8), channels=4, layers=3))
    genes = supernet.derived(darts_weights(seed))
    network = DARTS(channels=4, layers=3).build(supernet.architecture(genes), classes=4, shape=(3, 8, 8))
    copy(network.stem, supernet.stem)
    copy(network.classifier, supernet.classifier[1])
    for k, (theirs, ours) in enumerate(zip(network.cells, supernet.cells, strict=True)):
        copy(theirs.first, ours.first)
        copy(theirs.second, ours.second)
        own = genes[14:] if k in (1, 2) else genes[:14]
        kept = [m.candidates[g] for m, g in zip(ours.mixtures, own, strict=True) if supernet.ops[g] != "none"]
        for target, source in zip(itertools.chain(*theirs.operations), kept, strict=True):
            copy(target, source)
    expected = scores(network, IMAGES)
    assert expected.std() > 0
    np.testing.assert_allclose(scores(supernet, IMAGES, supernet.one_hot(genes)), expected, rtol=1e-4, atol=1e-5)


def test_two_edges_of_each_node_are_derived_and_none_is_never_one():
    supernet = DARTSSupernet(classes=4, shape=(3, 8, 8), channels=4, layers=3)
    weights = darts_weights(5)
    for own in weights:
        own[-1] = 9.0  # "none" is the heaviest everywhere
    genes = supernet.derived(weights)
    for cell in range(2):
        first = 14 * cell
        for start, edges in ((0, 2), (2, 3), (5, 4), (9, 5)):
            into = range(first + start, first + start + edges)
            strength = {e: max(weights[e][:7].tolist()) for e in into}
            best = sorted(into, key=lambda e: -strength[e])[:2]
            for e in into:
                expected = weights[e][:7].tolist().index(strength[e]) if e in best else 7
                assert genes[e] == expected
    assert [len(members) for members, kept in supernet.groups if kept == 2] == [14, 21, 28, 35] * 2


def test_darts_of_signals_and_of_few_operations():
    supernet = DARTSSupernet(classes=3, shape=(1, 24), channels=4, layers=3, ops=("skip_connect", "sep_conv_3x3"))
    weights = supernet.everywhere([torch.full((3,), 1 / 3)] * 28)
    assert scores(supernet, torch.randn(2, 1, 24, generator=torch.Generator().manual_seed(0)), weights).shape == (2, 3)
    genes = supernet.derived([torch.tensor([0.6, 0.3, 0.1])] * 28)
    assert set(DARTS().parse(str(supernet.architecture(genes))).genes) <= {0, 6}


@pytest.mark.parametrize(
    "settings",
    [{"channels": 3}, {"layers": 2}, {"shape": (5,)}, {"ops": ("conv_of_mine",)}],
    ids=lambda s: next(iter(s)),
)
def test_impossible_darts_supernets_are_refused(settings: dict[str, object]):
    with pytest.raises(BadSetting):
        DARTSSupernet(**{"classes": 4, "shape": (3, 8, 8), "channels": 4, "layers": 3, **settings})


# ---- stages of H-DAS -----------------------------------------------------------------------------------------

DEEP = Network(stages=(Stage(3, 4), Stage(2, 4)))


def wiring() -> StageWiring:
    cells = space()
    return StageWiring(cells, [genes_of(cells, 2), genes_of(cells, 3)], classes=4, shape=(3, 8, 8), network=DEEP)


def test_expected_depth_is_the_mean_over_every_wiring():
    net = wiring()
    assert [choice.path for choice in net.choices] == ["0/2/reads", "0/3/reads", "0/leaves", "1/2/reads", "1/leaves"]
    generator = torch.Generator().manual_seed(0)
    weights = [torch.rand(n, dtype=torch.float64, generator=generator).softmax(0) for n in (2, 3, 3)]
    mean = 0.0
    for two, three, leaves in itertools.product(range(2), range(3), range(3)):
        depth = {0: 0, 1: 1}
        depth[2] = 1 + depth[two]
        depth[3] = 1 + depth[three]
        mean += float(weights[0][two] * weights[1][three] * weights[2][leaves]) * depth[leaves + 1]
    rest = [torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([1.0, 0.0], dtype=torch.float64)]
    found = net.expected_depth([*weights, *rest])
    assert found.tolist() == pytest.approx([mean, 1.0])
    loss = net.depth_loss(0.5)([own.float() for own in (*weights, *rest)])
    assert float(loss) == pytest.approx(0.5 * ((1 - mean / 3) + (1 - 1 / 2)) / 2, rel=1e-5)


def test_a_discrete_wiring_is_cells_in_a_row():
    net = trained(wiring())
    x = IMAGES
    with torch.no_grad():
        net.eval()
        a = net.between[0](x)
        third = net.inside[0][2](net.inside[0][0](a))  # cell 3 reads cell 1, and leaves
        b = net.between[1](third)
        expected = net.last(net.inside[1][0](b))  # cell 1 leaves the second stage
    found = scores(net, x, net.one_hot((0, 1, 2, 1, 0)))
    torch.testing.assert_close(found, expected)


def test_cells_of_another_number_of_stages_are_refused():
    cells = space()
    with pytest.raises(BadSetting, match="2 stages"):
        StageWiring(cells, [genes_of(cells, 0)], classes=4, shape=(3, 8, 8), network=DEEP)


def test_a_discrete_cell_has_live_edges_only():
    cells = space()
    one = discrete_cell(cells, (3, 0, 3, 1, 0, 0), SMALL.placed((3, 8, 8))[0])
    assert one.edges == [(0, 3)]  # a skip; the convolutions lead nowhere
