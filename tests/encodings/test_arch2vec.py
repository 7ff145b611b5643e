"""The embedding of a graph autoencoder: its graphs, its training, the weights that it keeps."""

import logging

import numpy as np
import pytest
from sklearn.base import clone

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tests.small_spaces import Costed, Flat, Unordered, tiny
from tierwise import registry
from tierwise.architecture import Architectures, Graphs
from tierwise.encodings import arch2vec
from tierwise.encodings.arch2vec import Arch2Vec, declaration, learn, main, weights_path
from tierwise.encodings.arch2vec_network import operation_graphs
from tierwise.errors import BadModel, BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_encoding

SPACE = NASBench201()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A data folder for this file's weights."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def data_folder(kept, monkeypatch):
    monkeypatch.setenv("TIERWISE_HOME", str(kept))


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small space and a data folder without weights."""
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    return tiny(cls=Costed)


@pytest.mark.parametrize("space", [SPACE, tiny(cls=Costed)], ids=repr)
def test_it_conforms(space):
    check_encoding(Arch2Vec(epochs=1), space)


@pytest.mark.parametrize("space", [Flat(), Unordered(), tiny(4)], ids=repr)
def test_any_space_has_an_embedding(space):
    archs = space.sample(50, np.random.default_rng(0))
    features = Arch2Vec(epochs=1).transform(archs)
    assert features.shape == (50, 16)
    assert features.std(0).min() > 0


def test_operations_on_edges_become_nodes_and_dead_ones_go():
    # edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3: the second node reads nothing that lives, so its convolution is dead
    arch = SPACE.parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|")
    graphs = SPACE.graphs(Architectures.of([arch], SPACE))
    ops, links = operation_graphs(graphs)
    names = [graphs.ops[code - 1] for code in ops[0]]
    found = sorted((names[i], names[j]) for i, j in np.argwhere(links[0]))
    assert sorted(names) == ["avg_pool_3x3", "input", "nor_conv_3x3", "output", "skip_connect"]
    assert found == sorted(
        [
            ("input", "nor_conv_3x3"), ("nor_conv_3x3", "avg_pool_3x3"), ("avg_pool_3x3", "output"),
            ("input", "skip_connect"), ("skip_connect", "output"),
        ]
    )  # fmt: skip


def test_a_sum_links_all_that_enters_with_all_that_leaves():
    names = ("a", "b", "c", "d", "sum", "")
    edges = np.zeros((1, 5, 5), dtype=np.uint8)
    edges[0, 0, 2] = edges[0, 1, 2] = edges[0, 2, 3] = edges[0, 2, 4] = 6
    ops, links = operation_graphs(Graphs(np.array([[1, 2, 5, 3, 4]], dtype=np.uint8), edges, names))
    assert ops.tolist() == [[1, 2, 3, 4]]
    assert np.argwhere(links[0]).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]


def test_isomorphic_cells_have_equal_rows():
    # the two inner nodes read the input and are read by the output: which is which does not matter
    space = registry.make("space", "nasbench101")
    genes = np.full((2, 26), 0)
    genes[:, 21:] = -1
    for x, y in ((0, 1), (0, 2), (1, 6), (2, 6)):
        genes[:, y * (y - 1) // 2 + x] = 1
    genes[0, 21:23], genes[1, 21:23] = (0, 2), (2, 0)
    twins = Architectures(space, genes)
    assert len(set(space.canonical(twins).tolist())) == 1
    assert (twins.genes[0] != twins.genes[1]).any()
    # weights of another space of equally many operations: what is promised holds for any weights
    network = arch2vec.GraphAutoencoder(len(space.graphs(twins).ops) + 1).eval()
    first, second = arch2vec.embed(network, space.graphs(twins))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.abs(first).max() > 0


def test_cells_come_back_from_their_embedding():
    _, check = learn(Arch2Vec(epochs=4), SPACE)
    assert check.operations > 0.9
    assert check.links > 0.9
    assert check.links_found > 0.9
    assert check.valid > 0.2
    assert check.unique > 0.5


def test_weights_are_learnt_once_and_kept(small, caplog):
    archs = small.sample(20, np.random.default_rng(0))
    with caplog.at_level(logging.WARNING, "tierwise"):
        first = Arch2Vec(epochs=1).transform(archs)
        again = Arch2Vec(epochs=1).transform(archs)
    path = weights_path(Arch2Vec(epochs=1), small)
    assert [record.getMessage() for record in caplog.records] == [
        f"arch2vec learns space tiny once and keeps it in {path}"
    ]
    assert (first == again).all()
    assert list(path.parent.iterdir()) == [path]
    path.unlink()
    assert (Arch2Vec(epochs=1).transform(archs) == first).all()  # a second training gives the same weights


def test_other_settings_and_other_spaces_have_other_weights(small):
    spaces = [small, tiny(4, cls=Costed), Flat(), SPACE]
    paths = {
        weights_path(encoding, space) for space in spaces for encoding in (Arch2Vec(), Arch2Vec(9), Arch2Vec(seed=1))
    }
    assert len(paths) == 12


def test_a_narrowed_space_has_the_weights_of_the_whole():
    choice = SPACE.choices[0]
    for space, path in ((SPACE, choice.path), (registry.make("space", "nasbench-graph"), "op/1")):
        options = space.choices[[c.path for c in space.choices].index(path)].options
        assert declaration(space.narrow(path, options[:2])) == declaration(space)


@pytest.mark.parametrize("content", [b"", b"weights", "half", "foreign"])
def test_damaged_weights_are_named_and_not_used(small, content):
    path, _ = learn(Arch2Vec(epochs=1), small)
    if content == "half":
        content = path.read_bytes()[: path.stat().st_size // 2]
    if content == "foreign":
        with path.open("wb") as file:
            np.savez(file, weights=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(BadModel, match=f"{path.name}.*remove the file"):
        Arch2Vec(epochs=1).transform(small.sample(3, np.random.default_rng(0)))


def test_an_interrupted_training_leaves_nothing(small, monkeypatch):
    def interrupted(*args, **kwargs):
        args[0].write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(arch2vec.np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learn(Arch2Vec(epochs=1), small)
    assert list(weights_path(Arch2Vec(epochs=1), small).parent.iterdir()) == []


def test_a_data_folder_that_is_a_file_is_named(small, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path / "file"))
    with pytest.raises(BadSetting, match="TIERWISE_HOME"):
        Arch2Vec(epochs=1).transform(small.sample(3, np.random.default_rng(0)))


def test_no_epoch_is_refused(small):
    with pytest.raises(BadSetting, match="epochs"):
        Arch2Vec(epochs=0).transform(small.sample(3, np.random.default_rng(0)))


def test_a_fitted_one_keeps_to_its_space_and_its_state_gives_it_back(small):
    archs = small.sample(20, np.random.default_rng(0))
    fitted = Arch2Vec(epochs=1).fit(archs)
    restored = clone(fitted)
    restored.restore(fitted.state())
    weights_path(fitted, small).unlink()
    assert (restored.transform(archs) == fitted.transform(archs)).all()
    with pytest.raises(BadSetting, match="space"):
        restored.transform(SPACE.at([0]))


def test_the_command_trains_and_says_how_good_the_weights_are(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    main(["nasbench201", "--epochs", "1"])
    path = weights_path(Arch2Vec(epochs=1), SPACE)
    assert path.is_file()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["weights", str(path)]
    assert [line.split()[0] for line in lines if line.endswith("%")] == [
        "operations",
        "node",
        "links",
        "valid",
        "unique",
    ]
