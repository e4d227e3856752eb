"""Our acquisition functions beside those of scikit-activeml, on the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from askew.agent.conditional_logit import class_columns
from askew.evals.methods.active import ACQUISITIONS, Views, gradients, spread, typicality_order

# Its import machinery trips over warnings that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def views(seed: int, c: int = 40, d: int = 6, k: int = 2, m: int = 30, size: int = 5, asked: int = 8) -> Views:
    rng = np.random.default_rng(seed)
    columns = class_columns(rng.standard_normal((c, d)), k)
    before, targets = class_columns(rng.standard_normal((asked, d)), k), class_columns(rng.standard_normal((9, d)), k)
    theta_M_D = rng.standard_normal((m, columns.shape[2]))
    p_M_C_K = softmax(np.moveaxis(columns @ theta_M_D.T, 2, 0), axis=2)
    return Views(
        size=size, rng=rng, columns_C_K_D=columns, asked_A_K_D=before,
        p_C_K=softmax(columns @ theta_M_D[0], axis=1), p_M_C_K=p_M_C_K,
        target_M_T_K=softmax(np.moveaxis(targets @ theta_M_D.T, 2, 0), axis=2),
    )  # fmt: skip


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("name", ACQUISITIONS)
def test_every_acquisition_gives_different_candidates_as_many_as_asked(name: str, k: int) -> None:
    for size in (1, 7, 40, 50):
        chosen = list(ACQUISITIONS[name](views(3, k=k, size=size)))
        assert len(chosen) == len(set(chosen)) == min(size, 40), name
        assert all(0 <= index < 40 for index in chosen)


@pytest.mark.parametrize("name", ["badge", "typical", "batchbald"])
def test_candidates_that_coincide_are_still_asked_once_each(name: str) -> None:
    seen = views(1, c=12, size=12)
    same = Views(**{**vars_of(seen), "columns_C_K_D": np.repeat(seen.columns_C_K_D[:1], 12, axis=0)})
    assert sorted(ACQUISITIONS[name](same)) == list(range(12))


def vars_of(seen: Views) -> dict[str, Any]:
    return {name: getattr(seen, name) for name in Views.__dataclass_fields__}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [2, 3])
def test_bald_and_batchbald_choose_what_scikit_activeml_chooses(seed: int, k: int) -> None:
    from skactiveml.pool._bald import batch_bald

    seen = views(seed, k=k)
    theirs = batch_bald(seen.p_M_C_K.copy(), batch_size=5, n_MC_samples=10**6)
    assert list(ACQUISITIONS["batchbald"](seen)) == [int(np.nanargmax(row)) for row in theirs]
    alone = np.argsort(-theirs[0], kind="stable")[:5]
    assert list(ACQUISITIONS["bald"](seen)) == alone.tolist()


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize(("ours", "method"), [("uncertainty", "margin_sampling"), ("entropy", "entropy")])
def test_margin_and_entropy_choose_what_scikit_activeml_chooses(k: int, ours: str, method: str) -> None:
    from skactiveml.pool._uncertainty_sampling import uncertainty_scores

    seen = views(5, k=k)
    scores = uncertainty_scores(seen.p_C_K, method=method)
    assert list(ACQUISITIONS[ours](seen)) == np.argsort(-scores, kind="stable")[:5].tolist()


def test_badge_measures_the_gradients_that_scikit_activeml_measures() -> None:
    """The first choice is certain. For the second it counts the origin as chosen too; BADGE's authors don't."""
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import Badge
    from sklearn.linear_model import LogisticRegression

    seen = views(7, size=6)
    inputs = seen.columns_C_K_D[:, 1] * 2
    classifier = SklearnClassifier(LogisticRegression(), classes=[0, 1])
    rng = np.random.default_rng(0)
    train, labels = rng.standard_normal((20, inputs.shape[1])), np.arange(20) % 2
    classifier.fit(train, labels)
    p_C_K = classifier.predict_proba(inputs)
    gradient = gradients(Views(**{**vars_of(seen), "p_C_K": p_C_K}))
    strategy = Badge(random_state=np.random.RandomState(0))
    query, utilities = strategy.query(
        np.concatenate([train, inputs]), np.concatenate([labels, np.full(len(inputs), np.nan)]), classifier,
        fit_clf=False, candidates=np.arange(20, 20 + len(inputs)), batch_size=2, return_utilities=True,
    )  # fmt: skip
    first = spread(gradient, 1, seen.rng)[0]
    assert first == query[0] - 20
    length, distance = (gradient**2).sum(axis=1), ((gradient - gradient[first]) ** 2).sum(axis=1)
    expected = np.minimum(length, distance) / np.minimum(length, distance).sum()
    theirs = utilities[1][20:]
    assert np.allclose(np.delete(theirs, first), np.delete(expected, first))


def test_spread_takes_far_points_and_typical_ones_have_near_neighbours() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([centre + 0.01 * rng.standard_normal((10, 2)) for centre in ([9, 0], [0, 9], [-9, -9])])
    for seed in range(20):
        chosen = spread(points, 3, np.random.default_rng(seed))
        assert {index // 10 for index in chosen} == {0, 1, 2}
    line = np.array([[0.0], [1.0], [2.0], [3.0], [9.0]])
    order = typicality_order(line, np.arange(5))
    assert order[-1] == 4
    assert order[0] in {1, 2}


def test_typiclust_orders_a_cluster_as_scikit_activeml_does() -> None:
    from skactiveml.pool._typi_clust import _typicality

    points = np.random.default_rng(2).standard_normal((30, 4))
    members = np.arange(5, 25)
    theirs = _typicality(points, members, k=20)
    assert typicality_order(points, members)[0] == int(theirs.argmax())
