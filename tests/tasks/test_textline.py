from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.networks.counting import counted
from tierwise.networks.textline import Attention, ctc_loss
from tierwise.spaces.textline import TextLineSpace
from tierwise.supernets.textline import PARTS, TextLineSupernet
from tierwise.tasks.textline import TextLine

SMALL = TextLineSpace((1, 12, 20), 4)
IMAGES = torch.randn(5, 1, 12, 20, generator=torch.Generator().manual_seed(0))


@functools.cache
def supernet() -> TextLineSupernet:
    return TextLineSupernet(SMALL)


def some(n: int, seed: int = 0) -> Architectures:
    return SMALL.sample(n, np.random.default_rng(seed))


def test_costs_are_those_of_the_networks():
    archs = some(6)
    totals = SMALL.totals(archs)
    for arch, total in zip(archs, totals.tolist(), strict=True):
        made = counted(lambda arch=arch: SMALL.build(arch, classes=4, shape=SMALL.shape), SMALL.shape)
        assert made[:2] == tuple(total)


def test_choices_beyond_the_number_change_nothing():
    plain = "1 mbconv_k3_e1 mbconv_k3_e1"
    text = f"221 212 | {{}} mbconv_k3_e1 {{}} | {plain} | {plain} | {{}} attention2 1 {{}}"
    same = [
        text.format(1, op, 1, layer)
        for op in ("mbconv_k3_e1", "mbconv_k5_e3")
        for layer in ("recurrent 4", "attention2 1")
    ]
    other = [text.format(2, op, 1, "recurrent 4") for op in ("mbconv_k3_e1", "mbconv_k5_e3")]
    archs = Architectures.of([SMALL.parse(each) for each in same + other], SMALL)
    assert SMALL.format(archs) == same + other
    assert len(set(SMALL.canonical(archs[:4]).tolist())) == 1
    assert len(set(SMALL.canonical(archs).tolist())) == 3
    assert len({tuple(row) for row in SMALL.totals(archs[:4]).tolist()}) == 1


def test_a_graph_shows_what_is_there():
    stages = "1 mbconv_k5_e1 mbconv_k3_e1 | 2 mbconv_k3_e3 mbconv_k3_e1 | 1 mbconv_k3_e1 mbconv_k3_e1"
    arch = SMALL.parse(f"212 212 | {stages} | 1 recurrent 2 attention4 1")
    assert SMALL.graph(arch).nodes == (
        "input", "pool 2x2", "mbconv_k5_e1", "mbconv_k3_e3", "mbconv_k3_e1", "pool 2x2", "mbconv_k3_e1",
        "recurrent", "feed forward 2", "output",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["221 | 1", "999" + " 1" * 16 + " |", "textline/0-0"], ids=repr)
def test_bad_text_is_refused(text: str):
    with pytest.raises(BadArchitecture):
        SMALL.parse(text)


@pytest.mark.parametrize("given", [((1, 4, 20), 4), ((1, 12, 8), 4), ((12, 20), 4), ((1, 12, 20), 1)], ids=str)
def test_impossible_tasks_are_refused(given: tuple[tuple[int, ...], int]):
    with pytest.raises(BadSetting):
        TextLineSpace(*given)
    with pytest.raises(BadSetting):
        SMALL.build(some(1)[0], shape=given[0], classes=given[1])


def test_attention_is_that_of_pytorch():
    own = Attention(8, 2)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(own.inward.weight)
        theirs.in_proj_bias.copy_(own.inward.bias)
        theirs.out_proj.load_state_dict(own.outward.state_dict())
        x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
        seen = own.norm(x)
        torch.testing.assert_close(own(x), x + theirs(seen, seen, seen)[0])


def test_lines_that_do_not_fit_have_no_part():
    """Three equal characters need five columns: a blank between any two of them."""
    scores = torch.zeros(2, 4, 3)
    both = ctc_loss(scores, torch.tensor([[1, 2, 0], [1, 1, 1]]))
    alone = ctc_loss(scores[:1], torch.tensor([[1, 2, 0]]))
    torch.testing.assert_close(both, alone / 2)
    assert bool(both.isfinite())


@pytest.mark.parametrize("seed", range(4))
def test_one_hot_weights_are_the_discrete_network(seed: int):
    """With the supernet's weights in the network that the space builds, in the order in which they are used."""
    arch = some(1, seed)[0]
    network, chosen = (
        SMALL.build(arch, classes=4, shape=SMALL.shape),
        dict(zip((c.path for c in SMALL.choices), arch.genes, strict=True)),
    )
    used = [supernet().stem]
    for k in (1, 2, 3):
        used.append(torch.nn.Identity())  # a pool
        used += [supernet().operations[f"stage/{k}/{b}"][chosen[f"stage/{k}/{b}"]] for b in (1, 2)][
            : 1 + chosen[f"stage/{k}/blocks"]
        ]
    used.append(supernet().columns[2])
    for k in (1, 2)[: 1 + chosen["layers"]]:
        used += [supernet().operations[f"layer/{k}/{part}"][chosen[f"layer/{k}/{part}"]] for part in ("mixing", "wide")]
    used.append(supernet().head)
    assert len(network) == len(used)
    for mine, theirs in zip(network, used, strict=True):
        mine.load_state_dict(theirs.state_dict(), strict=False)  # the supernet has no running statistics
    network.train()  # statistics of the batch at hand, as in the supernet
    with torch.no_grad():
        torch.testing.assert_close(supernet()(IMAGES, supernet().one_hot(arch.genes)), network(IMAGES))


def test_stages_are_read_by_the_auxiliary_head_and_train_nothing_behind():
    arch = some(1, 5)[0]
    for part in range(1, PARTS + 1):
        supernet().zero_grad()
        scores = supernet().read(IMAGES, arch.genes, part)
        assert scores.shape[::2] == (5, 5)  # images; the blank and four characters
        scores.square().sum().backward()
        moved = {name for name, p in supernet().named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        assert {name.partition(".")[0] for name in moved} & {"head", "auxiliary"} == {
            "head" if part == PARTS else "auxiliary"
        }
        stages = {int(name.split("/")[1]) for name in moved if "stage/" in name}
        assert stages == set(range(1, min(part, 3) + 1))
        assert any("layer/" in name for name in moved) == (part == PARTS)


def test_mixed_weights_are_refused():
    weights = [torch.full((len(c.options),), 1 / len(c.options)) for c in SMALL.choices]
    with pytest.raises(BadSetting, match="down/height"):
        supernet()(IMAGES, weights)


def test_metrics_are_those_of_what_is_read():
    task = TextLine(2, 2, 2)
    target = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    best = torch.tensor([[1, 0, 2, 3, 3], [4, 4, 0, 0, 6]])  # reads 1 2 3 and 4 6
    found = task.scores(torch.nn.functional.one_hot(best, 21).float(), target)
    assert found == pytest.approx({"characters": 80.0, "cer": 20.0})


@pytest.mark.parametrize("given", [{"train": 1}, {"validation": 0}], ids=str)
def test_impossible_numbers_are_refused(given: dict[str, int]):
    with pytest.raises(BadSetting, match=next(iter(given))):
        TextLine(**given)
