"""Operations by name: what is built, how many parameters it has, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tierwise.networks.operations import SYNONYMS, Place, operation
from tierwise.networks.skeleton import classifier, reduction, stem

C, D = 6, 10  # channels in and out
SIDES = {0: (), 1: (9,), 2: (9, 7)}


def kernel(size: int, dims: int) -> int:
    return size**dims


# parameters by hand for c channels in, d out and kernels of k pixels; a batch norm has 2 per channel
PARAMETERS = {
    "conv3x3": lambda c, d, k: k(3) * c * d + 2 * d,
    "nor_conv_1x1": lambda c, d, k: c * d + 2 * d,
    "Conv-5": lambda c, d, k: k(5) * c * d + 2 * d,
    "conv3x3-bn-relu": lambda c, d, k: k(3) * c * d + 2 * d,
    "sep_conv_3x3": lambda c, d, k: k(3) * c + c * d + 2 * d + k(3) * d + d * d + 2 * d,
    "dil_conv_5x5": lambda c, d, k: k(5) * c + c * d + 2 * d,
    "mbconv_k3_e4": lambda c, d, k: 4 * c * c + 8 * c + k(3) * 4 * c + 8 * c + 4 * c * d + 2 * d,
    "mbconv_5x5_e1": lambda c, d, k: k(5) * c + 2 * c + c * d + 2 * d,
    "linear": lambda c, d, k: c * d + d,
}
WITHOUT_WEIGHTS = ("none", "skip_connect", "max_pool_3x3", "avg_pool_5x5", "pool")


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_by_hand(name: str, dims: int) -> None:
    for leaving in (C, D):
        made = operation(name, Place(C, leaving, dims=dims))
        assert sum(p.numel() for p in made.parameters()) == PARAMETERS[name](C, leaving, lambda size: size**dims)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_without_weights_unless_the_width_changes(name: str, dims: int) -> None:
    assert not list(operation(name, Place(C, C, dims=dims)).parameters())
    projected = sum(p.numel() for p in operation(name, Place(C, D, dims=dims)).parameters())
    assert projected == (0 if name == "none" else C * D + 2 * D)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("name", [*PARAMETERS, *WITHOUT_WEIGHTS, "dw_conv_3x3", "conv_bn"])
def test_shapes_and_gradients(name: str, dims: int, before: bool) -> None:
    for leaving, stride in ((C, 1), (D, 1), (C, 2), (D, 3)):
        made = operation(name, Place(C, leaving, stride, dims, activation="gelu", before=before))
        left = made(torch.randn(4, C, *SIDES[dims]))
        assert left.shape == (4, leaving, *(-(-side // stride) for side in SIDES[dims]))
        if list(made.parameters()):
            left.square().sum().backward()
            assert all(p.grad is not None and p.grad.any() for p in made.parameters() if p.ndim > 1)


@pytest.mark.parametrize("kind", SYNONYMS)
def test_synonyms_are_the_same_module(kind: str) -> None:
    made = {repr(operation(name, Place(C, D, stride=2))) for name in SYNONYMS[kind]}
    made |= {repr(operation(name.upper().replace("_", "-"), Place(C, D, stride=2))) for name in SYNONYMS[kind]}
    assert len(made) == 1


def test_spellings_of_kernel_and_expansion() -> None:
    made = {
        repr(operation(n, Place(C, D))) for n in ("mbconv_k5_e3", "mbconv5x5-e3", "MBConv e3 k5", "mb_5_expansion_3")
    }
    made.add(repr(operation("mbconv", Place(C, D, kernel=5, expansion=3))))
    assert len(made) == 1


def test_the_activation_stands_where_the_place_says() -> None:
    inside, behind = (operation("conv3x3", Place(C, D, before=before)) for before in (True, False))
    assert [type(m) for m in inside] == [nn.ReLU, nn.Conv2d, nn.BatchNorm2d]
    assert [type(m) for m in behind] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    fixed = operation("conv_bn_relu_3x3", Place(C, D, before=True, activation="silu"))
    assert [type(m) for m in fixed] == [nn.Conv2d, nn.BatchNorm2d, nn.SiLU]


def test_what_operations_compute() -> None:
    x = torch.randn(2, C, 5, 5)
    place = Place(C, C)
    assert operation("skip", place)(x) is x
    assert not operation("none", place)(x).any()
    assert torch.equal(operation("max_pool_3x3", place)(x), nn.functional.max_pool2d(x, 3, 1, 1))
    mean = operation("pool3x3", place)(x)
    assert torch.allclose(mean[:, :, 0, 0], x[:, :, :2, :2].mean((2, 3)))  # a corner has four pixels, not nine
    block = operation("mbconv_k3_e2", place).eval()
    inner = nn.Sequential(*block)
    assert torch.allclose(block(x), x + inner(x))
    dilated = operation("dil_conv_3x3", place)
    far = torch.zeros(1, C, 9, 9)
    far[0, :, 4, 4] = 1
    seen = dilated[0:2](far)[0, 0].nonzero() if isinstance(dilated[1], nn.Conv2d) else dilated[0](far)[0, 0].nonzero()
    assert {tuple(p) for p in seen.tolist()} == {(a, b) for a in (2, 4, 6) for b in (2, 4, 6)}


def test_vectors_have_linear_layers_alone() -> None:
    vector = Place(C, D, dims=0)
    assert operation("fc", vector)(torch.randn(3, C)).shape == (3, D)
    assert operation("skip", vector)(torch.randn(3, C)).shape == (3, D)
    assert operation("none", vector)(torch.randn(3, C)).shape == (3, D)
    with pytest.raises(ValueError, match="conv3x3 needs images or signals, not vectors"):
        operation("conv3x3", vector)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("convolve", {}, "no operation is called convolve; names that build are none, skip, conv3x3"),
        ("conv_7x1_1x7", {}, "no operation is called"),
        ("", {}, "no operation is called"),
        ("max_pool_e6", {}, "no operation is called"),
        ("conv2x2", {}, "kernels are odd"),
        ("conv3x3", {"kernel": 5}, "its name says kernel 3, the choice kernel says 5"),
        ("mbconv_e3", {"expansion": 6}, "its name says expansion 3"),
        ("conv", {"activation": "rlu"}, "activation 'rlu'; there is relu, gelu"),
    ],
)
def test_what_does_not_build(name: str, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operation(name, replace(Place(C, D), **changes))


@pytest.mark.parametrize("dims", [0, 1, 2])
def test_stem_reduction_and_classifier(dims: int) -> None:
    pixels = 9 if dims == 2 else 3 if dims else 1
    images = torch.randn(4, 3, *SIDES[dims])
    count = lambda module: sum(p.numel() for p in module.parameters())  # noqa: E731
    first = stem(3, C, 1, dims, active=True)
    second = reduction(C, D, 1 if dims == 0 else 2, dims)
    last = classifier(D, 7, dims, active=True)
    assert (count(first), count(second)) == (pixels * 3 * C + 2 * C, pixels * C * D + 2 * D)
    assert count(last) == 2 * D + 7 * D + 7
    assert last(second(first(images))).shape == (4, 7)


def test_a_stem_of_a_large_stride_sees_every_pixel() -> None:
    made: nn.Module = stem(1, 4, 4, 2, active=False)
    images: Tensor = torch.randn(2, 1, 16, 16, requires_grad=True)
    made(images).square().sum().backward()
    assert images.grad is not None
    assert images.grad.all()
