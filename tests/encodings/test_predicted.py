"""What an earlier predictor says, as one column of another."""

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from tests.small_spaces import Costed, tiny
from tierwise import registry
from tierwise.encodings.predicted import Predicted
from tierwise.errors import NotFitted
from tierwise.predictors.forest import Forest
from tierwise.predictors.gaussian_process import GaussianProcess
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_encoding

SPACE = NASBench201()


def fitted(space, **settings):
    archs = space.sample(60, np.random.default_rng(0))
    return Forest(trees=20, **settings).fit(archs, (archs.genes == 3).sum(1))


@pytest.mark.parametrize("space", [SPACE, tiny(cls=Costed)], ids=repr)
def test_it_conforms(space):
    archs = space.sample(60, np.random.default_rng(0))
    pipeline = make_pipeline(registry.make("encoding", "onehot"), Ridge())
    check_encoding(Predicted(pipeline.fit(archs, (archs.genes == 3).sum(1))), space)


def test_scores_keep_their_order_and_have_the_unit_of_the_space():
    predictor = fitted(SPACE)
    x, scores = Predicted(predictor).transform(SPACE.enumerate())[:, 0], predictor.predict(SPACE.enumerate())
    assert np.corrcoef(x, scores)[0, 1] == pytest.approx(1)
    assert abs(x.mean()) < 0.1
    assert x.std() == pytest.approx(1, abs=0.1)


def test_a_clone_keeps_what_the_predictor_has_learnt():
    encoding = Predicted(fitted(SPACE))
    archs = SPACE.sample(50, np.random.default_rng(1))
    assert (clone(encoding).transform(archs) == encoding.transform(archs)).all()
    assert clone(encoding).fit(archs).predictor is encoding.predictor


def test_a_predictor_that_is_not_fitted_is_refused():
    with pytest.raises(NotFitted):
        Predicted(Forest()).transform(SPACE.at([1]))


def test_another_data_set_helps_where_labels_are_few():
    earlier, now = (
        registry.make("benchmark", "nasbench201", dataset=name).expected("accuracy") for name in ("cifar100", "cifar10")
    )
    rows = np.random.default_rng(2).permutation(SPACE.size)
    source, target = rows[:200], rows[200:230]
    learnt = Predicted(GaussianProcess().fit(SPACE.at(source), earlier[source]))
    taus = []
    for encodings in (("paths", "flops", "params"), ("paths", "flops", "params", learnt)):
        predictor = Forest(encodings=encodings).fit(SPACE.at(target), now[target])
        taus.append(kendalltau(predictor.predict(SPACE.enumerate()), now).statistic)
    assert taus[1] > taus[0] + 0.02
