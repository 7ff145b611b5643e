import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from sklearn.base import clone  # noqa: E402
from torch import nn  # noqa: E402

from tierwise.errors import BadModel, BadSetting, NotFitted  # noqa: E402
from tierwise.predictors.nar import NASBENCH101_SETTINGS, NeuralArchitectureRanker  # noqa: E402
from tierwise.predictors.nar_network import (  # noqa: E402
    NarNetwork,
    NarSizes,
    TierMeans,
    TokenLinear,
    pairwise_loss,
    sinusoids,
)
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402

SPACE = NASBench201()
TINY = {"d_model": 16, "heads": 2, "d_k": 8, "layers": 2, "ffn": 32, "tier_hidden": 16, "score_hidden": 16}
FAST = TINY | {"epochs": 6, "batch": 16, "flops_scale": 1e6, "params_scale": 1e4}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    # two threads on a busy machine wait for each other, and the last digits depend on their number
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def labelled():
    archs = SPACE.sample(60, np.random.default_rng(0))
    return archs, (archs.genes == 3).sum(1) + np.random.default_rng(1).random(60)


@pytest.fixture(scope="module")
def fitted(labelled):
    return NeuralArchitectureRanker(**FAST).fit(*labelled)


def network(**changes):
    torch.manual_seed(0)
    return NarNetwork(NarSizes(**({"tokens": 7, "entries": 16} | TINY | changes)))


def test_parameter_counts_are_the_published_ones():
    def count(tokens, entries, **settings):
        sizes = NeuralArchitectureRanker(**settings)._sizes(tokens, entries)
        with torch.device("meta"):
            return sum(p.numel() for p in NarNetwork(sizes).parameters())

    assert count(31, 16) == 7_869_446
    assert count(19, 49, **NASBENCH101_SETTINGS) == 31_057_670


def test_learning_rate_peaks_at_the_end_of_the_warm_up():
    rates = [NeuralArchitectureRanker().learning_rate(step) for step in range(1, 386)]  # 55 epochs of 7 steps
    assert int(np.argmax(rates)) + 1 == 30
    assert max(rates) == pytest.approx(1.13e-3, rel=2e-3)
    assert rates[-1] == pytest.approx(3.2e-4, rel=2e-2)
    rates = [NeuralArchitectureRanker(**NASBENCH101_SETTINGS).learning_rate(step) for step in range(1, 561)]
    assert int(np.argmax(rates)) + 1 == 50
    assert max(rates) == pytest.approx(8.8e-4, rel=1e-2)
    assert rates[-1] == pytest.approx(2.6e-4, rel=2e-2)


def test_the_published_split_and_steps():
    train, held = NeuralArchitectureRanker()._split(1256)
    assert (len(train), len(held), len(train) // 128) == (1000, 256, 7)
    train, held = NeuralArchitectureRanker(**NASBENCH101_SETTINGS)._split(5260)
    assert (len(train), len(held), len(train) // 256) == (4236, 1024, 16)
    assert set(train) | set(held) == set(range(5260))
    train, held = NeuralArchitectureRanker()._split(12)
    assert (len(train), len(held)) == (7, 5)


def test_pairwise_loss_is_the_mean_over_ordered_pairs():
    scores, labels = torch.tensor([0.5, -1.0, 2.0, 0.1]), torch.tensor([1.0, 3.0, 3.0, 2.0])
    total = sum(
        math.log(1 + math.exp(-float((scores[i] - scores[j]) * torch.sign(labels[i] - labels[j]))))
        for i in range(4)
        for j in range(4)
        if i != j
    )
    assert pairwise_loss(scores, labels).item() == pytest.approx(total / 12, rel=1e-6)
    assert pairwise_loss(scores, torch.ones(4)).item() == pytest.approx(math.log(2))


def test_position_table():
    table = sinusoids(5, 8)
    assert table[3, 4].item() == pytest.approx(math.sin(3 / 10_000 ** (4 / 8)), rel=1e-6)
    assert table[3, 5].item() == pytest.approx(math.cos(3 / 10_000 ** (4 / 8)), rel=1e-6)


def test_a_token_map_is_a_linear_map():
    torch.manual_seed(0)
    mapped, plain = TokenLinear(16, 8), nn.Linear(16, 8)
    plain.load_state_dict(mapped.state_dict())
    for shape in ((3, 7, 16), (3, 5, 7, 16)):
        x = torch.randn(shape)
        torch.testing.assert_close(mapped(x), plain(x))


def test_tiers_in_one_batch_equal_tiers_one_by_one():
    net = network().eval()
    encoded, embeddings = net.encode(torch.randn(3, 7, 16)), torch.randn(5, 7, 16)
    z = torch.zeros_like(encoded)
    for tier in embeddings:
        own = net.target(tier[None]).expand(3, -1, -1)
        for layer in net.decoder:
            own = layer.feed(layer.across(layer.among(own), encoded))
        z = z + own
    expected = net.tier_head(z.flatten(1)) * 16**-0.5
    torch.testing.assert_close(net.tier_logits(encoded, embeddings), expected)
    torch.testing.assert_close(net.tier_logits(encoded, embeddings[[4, 2, 0, 1, 3]]), expected)


def test_attention_is_the_textbook_formula():
    block = network().encoder[0].among.eval()
    x = torch.randn(2, 7, 16)
    q, k, v = (m(x).unflatten(-1, (2, 8)).transpose(1, 2) for m in (block.query, block.key, block.value))
    mixed = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1) @ v
    torch.testing.assert_close(block(x), block.norm(x + block.out(mixed.transpose(1, 2).flatten(2))))
    assert block.out.bias is block.query.bias is None


def test_first_layer_drops_the_same_tier_tokens_for_the_whole_batch():
    net = network(dropout=0.5).train()
    seen = []
    net.decoder[0].among.register_forward_hook(lambda module, given, out: seen.append(out.shape))
    net.decoder[1].among.register_forward_hook(lambda module, given, out: seen.append(out.shape))
    net.tier_logits(torch.randn(3, 7, 16), torch.zeros(5, 7, 16))
    assert seen == [(5, 7, 16), (15, 7, 16)]


def test_the_score_needs_the_encoder_only():
    net = network().eval()
    tokens = torch.randn(3, 7, 16)
    scores = net(tokens, torch.randn(5, 7, 16))[1]
    torch.testing.assert_close(net.score(net.encode(tokens)), scores)


def test_tier_means_are_zero_until_filled():
    means = TierMeans(NarSizes(tokens=2, entries=4, n_tiers=3, d_model=1), "cpu")
    means.add(torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]]), torch.tensor([1, 1]))
    assert means.values().squeeze(-1).tolist() == [[0, 0], [2, 3], [0, 0]]


def test_fit_predicts_what_it_was_shown(fitted, labelled):
    assert fitted.score(*labelled) > 0.4
    assert fitted.predict(labelled[0]).shape == (60,)
    chances = fitted.predict_tier_proba(labelled[0])
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-5)
    assert (fitted.predict_tier(labelled[0]) == chances.argmax(1)).all()
    assert (np.diff(fitted.tiers_) < 0).all()
    assert fitted.tiers_.shape == (4,)


def test_records_are_those_of_one_epoch(fitted):
    train, _ = fitted._split(60)
    assert len(train) == 48
    assert len(fitted.records_) == 3  # 48 // 16 batches
    assert fitted.records_.costs.sum() == 3 * 16 * 2
    assert fitted.records_.genes.shape == (3, 5, 6, 5)
    assert fitted.validation_accuracy_.shape == (6,)


def test_fewer_labels_than_one_batch_are_one_batch(labelled):
    small = NeuralArchitectureRanker(**(FAST | {"batch": 128, "epochs": 2}))
    small.fit(labelled[0][:20], labelled[1][:20])
    assert small.records_.costs.sum() == 2 * 15
    assert not small.embeddings_.any()  # the only step of an epoch sees empty tiers


def test_same_seed_same_scores_and_the_global_generator_is_left_alone(fitted, labelled):
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    again = clone(fitted).fit(*labelled)
    assert torch.equal(torch.rand(3), expected)
    assert (again.predict(labelled[0]) == fitted.predict(labelled[0])).all()
    other = clone(fitted).set_params(seed=1).fit(*labelled)
    assert (other.predict(labelled[0]) != fitted.predict(labelled[0])).any()


def test_save_and_load(fitted, tmp_path):
    fitted.save(tmp_path / "nar.npz")
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    loaded = NeuralArchitectureRanker.load(tmp_path / "nar.npz")
    assert torch.equal(torch.rand(2), expected)
    archs = SPACE.sample(40, np.random.default_rng(9))
    assert loaded.get_params() == fitted.get_params()
    assert (loaded.predict(archs) == fitted.predict(archs)).all()
    assert (loaded.predict_tier_proba(archs) == fitted.predict_tier_proba(archs)).all()
    for given, back in zip(candidates(fitted), candidates(loaded), strict=True):
        assert (given.genes == back.genes).all()


def test_a_model_of_other_sizes_is_refused(fitted, tmp_path):
    state = fitted.state()
    del state["network.source.project.weight"]
    fitted_path = tmp_path / "broken.npz"
    broken = clone(fitted)
    broken.state = lambda: state
    broken.save(fitted_path)
    with pytest.raises(BadModel):
        NeuralArchitectureRanker.load(fitted_path)


def candidates(predictor, **changes):
    settings = {"iterations": 5, "sample": 32, "k": 2} | changes
    return list(predictor.guided_candidates(SPACE, np.random.default_rng(3), **settings))


def test_guided_candidates_are_ranked_and_of_the_first_tier(fitted):
    found = candidates(fitted)
    assert len(found) == 5
    assert {len(batch) for batch in found} <= {0, 2}
    assert any(len(batch) for batch in found)
    for batch in found:
        assert (np.diff(fitted.predict(batch)) <= 1e-6).all() if len(batch) else True
    assert all(len(batch) == 0 for batch in candidates(fitted, k=33))
    assert len(candidates(fitted, force_uniform=False)) == 5


def test_errors_say_what_is_wrong(fitted, labelled):
    with pytest.raises(NotFitted):
        NeuralArchitectureRanker().predict(labelled[0])
    with pytest.raises(NotFitted):
        NeuralArchitectureRanker().state()
    with pytest.raises(BadSetting):
        fitted.predict(labelled[0], return_std=True)
    with pytest.raises(BadSetting):
        NeuralArchitectureRanker().fit(labelled[0][:9], labelled[1][:9])
