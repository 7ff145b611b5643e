"""Rank a region of networks from a few trainings of its supernet, and walk on to the next region.

python examples/fade.py
"""

from sklearn.datasets import load_digits

from tierwise import Study
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train
from tierwise.spaces.stage import StageOptions
from tierwise.spaces.stages import Stages
from tierwise.strategies.fade import Fade
from tierwise.supernets.joint import Joint
from tierwise.supernets.walk import visited

pixels, labels = load_digits(return_X_y=True)
space = Stages("digits", 4, [StageOptions(16, (1, 4, 16), ("linear", "skip"), ("relu", "tanh", "none"))] * 2)
train = Train((pixels, labels), classes=10, recipe=Recipe(epochs=4, batch=64, rate=0.05))

# a region: three candidates for each of two stages, trained together twice; after two regions the answer in full
strategy = Fade(candidates=3, elites=1, epochs=6, regions=2)
with Study(None, space, strategy, Joint(train, runs=2)) as study:
    print(study.run(7, batch=3))
    for number, region in enumerate(visited(study.history()), start=1):
        weights = [[round(float(w), 2) for w in stage] for stage in region.weights]
        print(f"region {number}: weights {weights}, best {space.format(region.best)[0]}")
    (answer,) = study.best()
    print(
        f"{answer.metrics['accuracy']:.1f} % by validation: {space.format(study.history().archs[[answer.id - 1]])[0]}"
    )
