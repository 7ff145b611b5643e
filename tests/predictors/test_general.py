"""The predictor on graphs of primitive operations, within a space and between spaces."""

import numpy as np
import pytest
from scipy.stats import kendalltau

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tierwise import registry  # noqa: E402
from tierwise.architecture import Architectures  # noqa: E402
from tierwise.errors import BadSetting, NotFitted, UnknownName  # noqa: E402
from tierwise.predictors.general import General  # noqa: E402
from tierwise.predictors.general_network import (  # noqa: E402
    GeneralNetwork,
    GeneralSizes,
    Primitives,
    contrastive_loss,
    spectral_targets,
)
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402

SPACE = NASBench201()
QUICK = {"unlabelled": 64, "pretraining_steps": 10, "steps": 40, "members": 1, "width": 24, "layers": 3}


def threes(archs):
    """How many 3x3 convolutions the live part of each cell has."""
    graphs = registry.make("encoding", "computation_graph").graphs(archs)
    return ((graphs.nodes[..., 3] > 0) & (graphs.nodes[..., 26] > 1)).sum(1).astype(float)


def test_the_contrastive_loss_by_hand():
    z = torch.tensor([[[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]])
    targets = torch.tensor([[0.0, 0.75, 0.25], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])
    cosine = (z[0] @ z[0].T).double().numpy() / 0.5
    losses = []
    for i in range(3):
        others = [j for j in range(3) if j != i]
        total = np.log(sum(np.exp(cosine[i, j]) for j in others))
        losses.append(-sum(targets[i, j].item() * (cosine[i, j] - total) for j in others))
    assert contrastive_loss(z, targets, 0.5).item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_targets_prefer_the_closest_spectrum_and_never_oneself():
    targets = spectral_targets(torch.tensor([[0.0, 1.0], [0.0, 1.1], [0.0, 2.0]]), 0.1)
    assert targets.diagonal().tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert targets[0, 1] / targets[0, 2] == pytest.approx(np.exp(9), rel=1e-3)


def test_padding_changes_no_score():
    made = registry.make("encoding", "computation_graph").graphs(SPACE.at(range(20)))
    graphs = Primitives(*(torch.from_numpy(part) for part in (made.nodes, made.links, made.there)))
    network = GeneralNetwork(GeneralSizes(2, graphs.nodes.shape[2], 8, 3), torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = network.score(graphs)
        np.testing.assert_allclose(network.score(graphs.padded(30)), scores, atol=1e-5)
        np.testing.assert_allclose(network.score(graphs.take(torch.arange(3))), scores[:, :3], atol=1e-5)


def test_isomorphic_cells_have_equal_scores():
    archs = SPACE.enumerate()
    predictor = General(**QUICK).fit(archs[:50], np.random.default_rng(0).random(50))
    mirrored = Architectures(SPACE, archs.genes[:, [1, 0, 2, 3, 5, 4]])  # nodes 1 and 2 exchanged
    both = archs.genes[:, 2] == 0  # where no edge joins them
    np.testing.assert_allclose(predictor.predict(mirrored[both]), predictor.predict(archs[both]), atol=1e-4)
    assert predictor.predict(archs[both]).std() > 0.01


def test_pretraining_brings_graphs_with_close_spectra_together():
    archs = SPACE.at(range(300))
    made = registry.make("encoding", "computation_graph").graphs(archs)
    graphs = Primitives(*(torch.from_numpy(part) for part in (made.nodes, made.links, made.there)))
    targets = spectral_targets(torch.from_numpy(made.spectrum(8)), 0.1)
    loss = []
    for steps in (0, 40):
        network = GeneralNetwork(GeneralSizes(1, 32, 24, 3), torch.Generator().manual_seed(0))
        predictor = General(pretraining_steps=steps, unlabelled=128)
        predictor._pretrain(network, archs, torch.Generator().manual_seed(0))
        with torch.no_grad():
            loss.append(contrastive_loss(network.project(graphs), targets, 0.2).item())
    assert loss[1] < loss[0] - 0.3


def test_what_it_learns_of_one_space_holds_for_another_and_adapts():
    other = registry.make("space", "nasbench101").sample(400, np.random.default_rng(0))
    y = threes(other)
    predictor = General(**QUICK, families=("nasbench101",)).fit(SPACE.at(range(150)), threes(SPACE.at(range(150))))
    assert kendalltau(predictor.predict(other), y).statistic > 0.3
    predictor.adapt(other[:100], -y[:100])  # and now the other way round
    assert kendalltau(predictor.predict(other[100:]), y[100:]).statistic < -0.3


def test_ranks_nasbench201_from_156_labels():
    truth = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(15_625)[:156]
    scores, std = General(members=1).fit(SPACE.at(chosen), truth[chosen]).predict(SPACE.enumerate(), return_std=True)
    assert kendalltau(scores, truth).statistic > 0.74
    assert len(std) == len(scores)


def test_adapting_needs_a_fit():
    with pytest.raises(NotFitted):
        General().adapt(SPACE.at(range(10)), np.arange(10))


def test_unknown_families_are_refused():
    with pytest.raises(UnknownName, match="nasbench2001"):
        General(families=("nasbench2001",)).fit(SPACE.at(range(10)), np.arange(10))


@pytest.mark.parametrize(
    "name", ["unlabelled", "members", "width", "layers", "pretraining_steps", "steps", "batch", "temperature"]
)
def test_bad_settings_are_refused(name):
    with pytest.raises(BadSetting, match=name):
        General(**{name: -1}).fit(SPACE.at(range(10)), np.arange(10))
