"""tierwise: find good neural network architectures from few trainings, by quality tiers.

    from tierwise import Study, make

    data = make("benchmark", "nasbench201", dataset="cifar10")
    study = Study("cells.db", data.space, "auto", data)
    study.run(150)
    print(study.best(5))

Everything is imported when it is first used: ``import tierwise`` loads none of torch, scikit-learn or matplotlib.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tierwise.architecture import Architecture, Architectures, Graph, Graphs
    from tierwise.encoding import Encoding
    from tierwise.explanation import explain
    from tierwise.history import History, Proposal, Strategy, Trial
    from tierwise.job import Evaluator, Job
    from tierwise.predictor import Predictor, top
    from tierwise.registry import find, installed, make
    from tierwise.shrinking import shrink
    from tierwise.space import Choice, Space
    from tierwise.spaces.declared import load_space, save_space
    from tierwise.spaces.marked import space_of
    from tierwise.spaces.picking import pick
    from tierwise.study import Study

_HOME = {
    "Architecture": "architecture",
    "Architectures": "architecture",
    "Choice": "space",
    "Encoding": "encoding",
    "Evaluator": "job",
    "Graph": "architecture",
    "Graphs": "architecture",
    "History": "history",
    "Job": "job",
    "Predictor": "predictor",
    "Proposal": "history",
    "Space": "space",
    "Strategy": "history",
    "Study": "study",
    "Trial": "history",
    "explain": "explanation",
    "find": "registry",
    "installed": "registry",
    "load_space": "spaces.declared",
    "make": "registry",
    "pick": "spaces.picking",
    "save_space": "spaces.declared",
    "shrink": "shrinking",
    "space_of": "spaces.marked",
    "top": "predictor",
}
__all__ = [
    "Architecture",
    "Architectures",
    "Choice",
    "Encoding",
    "Evaluator",
    "Graph",
    "Graphs",
    "History",
    "Job",
    "Predictor",
    "Proposal",
    "Space",
    "Strategy",
    "Study",
    "Trial",
    "explain",
    "find",
    "installed",
    "load_space",
    "make",
    "pick",
    "save_space",
    "shrink",
    "space_of",
    "top",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tierwise' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tierwise.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
