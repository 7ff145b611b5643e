"""Search a network for one's own images: 30 trainings of small convolutional networks on real handwritten digits.

python examples/own_dataset.py            # again after any interruption: it goes on where it was
"""

import sys
from pathlib import Path

from sklearn.datasets import load_digits

from tierwise import Study, load_space
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train

SPACE = Path(__file__).with_suffix(".toml")


def digits() -> tuple:
    """1,797 images of 8 x 8 pixels and their labels; the last 497 are for the final report."""
    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 1, 8, 8), labels


def learn() -> tuple:
    """What networks are trained on and chosen by."""
    images, labels = digits()
    return images[:1300], labels[:1300]


def report() -> tuple:
    """What nobody chooses by."""
    images, labels = digits()
    return images[1300:], labels[1300:]


def main() -> None:
    trials, path = int(sys.argv[1]) if len(sys.argv) > 1 else 30, sys.argv[2] if len(sys.argv) > 2 else "digits.db"
    train = Train(learn, classes=10, validation=0.3, test=report, recipe=Recipe(epochs=12, batch=32, rate=0.05))
    with Study(path, load_space(SPACE), evaluator=train, limits={"params": 20_000}) as study:
        study.run(trials, executor="local", workers=2)
        for trial, text in ((t, study.space.graph(t.arch)) for t in study.best(3)):
            shown = " - ".join(node for node in text.nodes if node)
            print(f"{trial.metrics['accuracy']:.1f} % validation, {trial.metrics['test_accuracy']:.1f} % test: {shown}")


if __name__ == "__main__":
    main()
