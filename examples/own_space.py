"""Search one's own PyTorch code: small convolutional networks on handwritten digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn

from tierwise import Architectures, Study, pick, space_of

TASK = {"classes": 10, "shape": (1, 8, 8)}


class Net(nn.Module):
    """Each ``pick`` is a choice; ``Net()`` itself takes the first option of each."""

    def __init__(self, classes: int = 10, shape: tuple[int, ...] = TASK["shape"]):
        super().__init__()
        width = pick("width", [8, 16, 24])
        layers = [nn.Conv2d(shape[0], width, 3, padding=1)]
        for k in range(pick("depth", [1, 2, 3])):  # block2 is a choice only where the depth is 3
            conv = {"conv": lambda k=k: self.conv(k, width), "pool": lambda: nn.AvgPool2d(3, 1, 1), "none": nn.Identity}
            layers += [pick(f"block{k}", conv), nn.BatchNorm2d(width), pick("activation", [nn.ReLU, nn.GELU])()]
        self.features = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten())
        self.classifier = nn.Linear(width * 16, classes)

    @staticmethod
    def conv(k: int, width: int) -> nn.Module:
        kernel = pick(f"block{k}/kernel", [3, 5])  # a choice only where the block is a convolution
        return nn.Conv2d(width, width, kernel, padding=kernel // 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images))


def digits() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """300 digits to learn from, and 500 to judge by."""
    x, y = load_digits(return_X_y=True)
    images, labels = torch.tensor(x / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(y)
    return [(images[:300], labels[:300]), (images[300:800], labels[300:800])]


def accuracy(net: nn.Module) -> float:
    """Percent right after six epochs."""
    (x, y), (others, truth) = digits()
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimiser.step()
    with torch.no_grad():
        return 100 * (net.eval()(others).argmax(1) == truth).float().mean().item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    space = space_of(Net, **TASK)
    print(f"{space.size:,} combinations; block2 is a choice where {space.when('block2')}")

    def evaluate(arch, job):
        torch.manual_seed(job.seed)
        return accuracy(space.build(arch, **TASK))

    study = Study(None, space, "evolution", evaluate, limits={"params": 10_000})
    study.run(12)
    best = Architectures.of([trial.arch for trial in study.best(3)], space)
    for trial, text, (_, params) in zip(study.best(3), space.format(best), space.totals(best), strict=True):
        print(f"{trial.metrics['accuracy']:.1f} % with {params:,} parameters: {text}")
