"""ACOT pooling as an estimator: correctness, invariances, scikit-learn's manners, bad input."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from threadpoolctl import ThreadpoolController, threadpool_limits

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core._utils.threads import parallel_map, single_threaded
from acot_core.baselines import AveragePooling
from acot_core.datasets import load
from acot_core.sequences import check_sequences, pad
from acot_core.subspace.alternation import alternate
from acot_core.subspace.objective import ACOTObjective

RNG = np.random.default_rng(0)


def ragged(n_sequences: int = 12, d: int = 10, low: int = 1, high: int = 9) -> list[np.ndarray]:
    return [RNG.random((int(n), d)) for n in RNG.integers(low, high, n_sequences)]


def random_pooling(**parameters) -> ACOTPooling:
    return ACOTPooling(**{"negatives": "random", "n_negatives": 8, "random_state": 0} | parameters)


def overlap(U, V):
    """||U'V||_F^2 / k: one where the subspaces agree."""
    return np.square(np.einsum("ndk,ndl->nkl", U, V)).sum((1, 2)) / U.shape[2]


@pytest.fixture(scope="module")
def planted():
    data = load("planted")
    train, test = data.split("1")
    X, y = data.streams["features"], data.labels
    return [X[i] for i in train], y[train], [X[i] for i in test], y[test]


@pytest.fixture(scope="module")
def adversary(planted):
    return Adversary(n_iter=100, random_state=0).fit(planted[0], planted[1])


def test_planted_full_method_wins_where_averages_are_blind(planted, adversary):
    X, y, X_test, y_test = planted
    average = make_pipeline(AveragePooling(), LinearSVC(C=10)).fit(X, y).score(X_test, y_test)
    pooling = ACOTPooling(adversary=adversary, random_state=0)
    full = make_pipeline(pooling, GrassmannSVC()).fit(X, y).score(X_test, y_test)
    assert average < 0.65
    assert full > 0.9


@pytest.mark.parametrize("k", [1, 3, 10])
def test_subspaces_are_orthonormal_even_beyond_the_number_of_frames(k):
    U = random_pooling(n_subspaces=k).fit_transform(ragged())
    assert U.shape == (12, 10, k)
    gram = np.einsum("ndk,ndl->nkl", U, U)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(k), gram.shape), atol=1e-5)
    assert (U.sum(1) >= 0).all()


def test_projection_is_the_mean_of_projected_frames():
    X = ragged()
    pooling = random_pooling(n_subspaces=2)
    U = pooling.fit_transform(X)
    mean = random_pooling(n_subspaces=2, output="projection").fit_transform(X)
    for u, m, x in zip(U, mean, check_sequences(X), strict=True):
        np.testing.assert_allclose(m, (x.numpy() @ u @ u.T).mean(0), atol=1e-5)


@pytest.mark.parametrize("parameters", [{}, {"n_subspaces": 3, "n_alternations": 2}, {"transport": "random"}])
def test_result_depends_neither_on_batch_nor_on_order(parameters):
    X = ragged()
    pooling = random_pooling(**parameters).fit(X)
    U = pooling.transform(X)
    alone = np.concatenate([pooling.transform([x]) for x in X])
    reverse = pooling.transform(X[::-1])[::-1]
    small = clone(pooling).set_params(batch_bytes=1000).fit(X).transform(X)
    for other in (alone, reverse, small):
        np.testing.assert_allclose(overlap(U, other), 1, atol=1e-5)


def test_jobs_change_no_bit_and_batches_none_that_counts(planted, adversary):
    X = planted[2][:24]
    pooling = ACOTPooling(2, adversary=adversary, n_alternations=2, batch_bytes=2**20, random_state=0).fit(X)
    U = pooling.set_params(n_jobs=1).transform(X)
    np.testing.assert_array_equal(pooling.set_params(n_jobs=2).transform(X), U)
    with joblib.parallel_config("loky", n_jobs=2):
        np.testing.assert_array_equal(pooling.set_params(n_jobs=None).transform(X), U)
    alone = np.concatenate([pooling.transform([x]) for x in X])
    np.testing.assert_allclose(overlap(U, alone), 1, atol=1e-5)


def process_of(_: int) -> int:
    return os.getpid()


def test_work_goes_where_joblib_is_told():
    assert set(parallel_map(process_of, range(4), 2)) == {os.getpid()}
    with joblib.parallel_config("loky", n_jobs=2):
        assert os.getpid() not in set(parallel_map(process_of, range(4)))


def blas_threads(_: int = 0) -> set[int]:
    pools = ThreadpoolController().select(user_api="blas").info()
    return {pool["num_threads"] for pool in pools if pool["internal_api"] == "openblas"}


def test_blas_has_one_thread_in_a_block_whichever_thread_was_in_one_before():
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        for _ in range(2):
            with single_threaded():
                assert blas_threads() <= {1}
            assert set().union(*parallel_map(blas_threads, range(6), 2)) <= {1}
            assert blas_threads() == before


def test_threads_are_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    held, free = Event(), Event()

    def hold():
        with single_threaded():
            held.set()
            free.wait(60)

    try:
        with ThreadPoolExecutor(1) as pool:
            holding = pool.submit(hold)
            held.wait(60)
            with single_threaded():
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 2  # this thread's, though the other one is still in the block
            free.set()
            holding.result()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 2  # the process's
        random_pooling().fit_transform(ragged())
        assert torch.get_num_threads() == 2
    finally:
        free.set()
        torch.set_num_threads(before)


def test_seeds():
    X = ragged(low=4)
    first, again = (random_pooling().fit_transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - random_pooling(random_state=1).fit_transform(X)).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("beta1", 0.0), ("beta2", 0.0), ("eta", 0.2), ("n_negatives", 3), ("n_negatives", "2n"),
        ("transport", "uniform"), ("transport", "identity"), ("transport", "sinkhorn"),
        ("transport", "random"),
        ("ground_cost", "sqeuclidean"), ("surrogate", False), ("n_iter", 1), ("n_alternations", 3),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_every_parameter_matters(name, value):
    X = ragged(low=6, high=12)
    change = np.abs(random_pooling(**{name: value}).fit_transform(X) - random_pooling().fit_transform(X))
    assert change.max() > 1e-4


def test_pymanopt_is_a_reference():
    # The same data whichever tests ran before: on some, pymanopt is not there after 200 iterations.
    X = [np.random.default_rng(n).random((n, 10)) for n in (6, 7, 8, 9, 6, 8)]
    options = {"n_iter": 200, "beta2": 0.0, "n_subspaces": 2}
    ours = random_pooling(**options).fit_transform(X)
    reference = random_pooling(**options, solver="pymanopt").fit_transform(X)
    np.testing.assert_allclose(overlap(ours, reference), 1, atol=1e-2)


def test_ipot_and_emd_find_the_same_subspaces():
    X = ragged(6, low=6, high=10)
    exact = random_pooling(transport="emd").fit_transform(X)
    ipot = random_pooling(transport="ipot", transport_options={"beta": 0.02, "n_iter": 3000, "tol": 1e-5})
    np.testing.assert_allclose(overlap(exact, ipot.fit_transform(X)), 1, atol=1e-2)


def test_a_plan_short_of_its_tolerance_warns():
    pooling = random_pooling(transport="ipot", transport_options={"beta": 0.1, "n_iter": 1, "tol": 1e-9})
    with pytest.warns(ConvergenceWarning, match="ipot: 12 of 12 problems"):
        pooling.fit_transform(ragged(low=3))


def test_alternation_stops_one_by_one_and_keeps_its_history():
    X = pad(check_sequences(ragged(8, low=5, high=12)))
    Y = random_pooling().fit(X.unpad()).sample_negatives(X.unpad())
    result = alternate(X, Y, n_alternations=20, n_iter=10, tol=1e-3)
    assert result.objective.shape[1] == 2 * int(result.n_alternations.max())
    assert result.n_alternations.min() < 20
    assert torch.isfinite(result.objective).all()
    # A subspace step never lowers Eq. (10); a warm start makes the next plan start from the same subspace.
    gain = result.objective[:, 1::2] - result.objective[:, 0::2]
    assert (gain > -1e-5).all()
    for i, n in enumerate(result.n_alternations.tolist()):
        assert (result.objective[i, 2 * n :] == result.objective[i, 2 * n - 1]).all()


@pytest.mark.parametrize("surrogate", [True, False])
def test_reported_values_are_those_of_the_objective(surrogate):
    X = pad(check_sequences(ragged(6, low=4, high=9)))
    Y = random_pooling().fit(X.unpad()).sample_negatives(X.unpad())
    result = alternate(X, Y, n_subspaces=2, surrogate=surrogate)
    objective = ACOTObjective(
        X.frames.double(),
        mask=X.mask,
        plan=result.transport.plan.double(),
        negatives=Y.frames.double(),
        ground_cost="sqeuclidean" if surrogate else "euclidean",
    )
    expected = -objective.value(result.subspace.double())
    torch.testing.assert_close(result.objective[:, -1].double(), expected, rtol=0, atol=1e-5)


def test_explain_gives_what_transform_uses():
    X = ragged(low=4)
    pooling = random_pooling(n_subspaces=2).fit(X)
    batch, negatives, result = pooling.explain(X[3])
    np.testing.assert_allclose(overlap(pooling.transform(X)[3:4], result.subspace.numpy()), 1, atol=1e-4)
    np.testing.assert_allclose(result.transport.plan.sum(2)[0], batch.weights[0], atol=1e-6)
    assert negatives.frames.shape == (1, 8, 10)


def test_scikit_learn_manners(planted):
    X, y = planted[0][:40], planted[1][:40]
    pipeline = make_pipeline(random_pooling(), GrassmannSVC())
    search = GridSearchCV(pipeline, {"acotpooling__beta2": [0.0, 10.0]}, cv=2, error_score="raise").fit(X, y)
    assert set(search.cv_results_["param_acotpooling__beta2"]) == {0.0, 10.0}
    assert "beta2=3.0" in repr(ACOTPooling(beta2=3.0))
    with pytest.raises(NotFittedError):
        ACOTPooling().transform(X)


def test_own_frame_plan_is_the_exact_one_on_adversarial_negatives(planted, adversary):
    pooling = ACOTPooling(adversary=adversary, n_negatives="2n", transport="identity", device="cpu").fit(
        planted[0]
    )
    X = planted[0][:6]
    batch, negatives = pad([torch.as_tensor(x) for x in check_sequences(X)]), pooling.sample_negatives(X)
    costs = {}
    for transport in ("identity", "emd", "random"):
        result = alternate(batch, negatives, transport=transport)
        costs[transport] = result.transport.value
        if transport == "identity":
            at = result.transport.plan.argmax(1)  # the frame that each negative is coupled with
            assert torch.equal(at[negatives.mask], negatives.origin[negatives.mask])
            assert result.transport.marginal_error.max() < 1e-6
    assert (costs["emd"] <= costs["identity"] + 1e-6).all()
    assert (costs["identity"] < costs["random"] - 0.01).all()


def test_a_fitted_adversary_is_used_and_an_unfitted_one_is_trained(planted, adversary):
    X, y = planted[0], planted[1]
    assert ACOTPooling(adversary=adversary).fit(X).adversary_ is adversary
    unfitted = Adversary(n_iter=2, classifier_iter=2, random_state=0)
    pooling = ACOTPooling(adversary=unfitted, random_state=0).fit(X, y)
    assert pooling.adversary_ is not unfitted
    assert not unfitted.is_fitted
    with pytest.raises(ValueError, match="class labels are needed"):
        ACOTPooling(adversary=unfitted).fit(X)
    with pytest.raises(ValueError, match="fitted on 64 features"):
        ACOTPooling(adversary=adversary).fit(ragged())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_subspaces": 0}, "n_subspaces"), ({"n_subspaces": 11}, "exceeds the 10 features"),
        ({"beta1": -1.0}, "beta1"), ({"n_negatives": 0}, "n_negatives"), ({"negatives": "none"}, "negatives"),
        ({"transport": "teleport"}, "transport"), ({"output": "mean"}, "output"),
        ({"solver": "magic"}, "solver"),
        ({"n_alternations": 0}, "n_alternations"), ({"tol": float("nan")}, "tol"),
        ({"ground_cost": "cosine"}, "ground_cost"), ({"random_state": "x"}, "random_state"),
    ],
)  # fmt: skip
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        random_pooling(**parameters).fit(ragged())


def test_bad_sequences_are_named_in_transform():
    pooling = random_pooling().fit(ragged())
    with pytest.raises(ValueError, match=r"X\[1\]: expected 10 features"):
        pooling.transform([np.ones((3, 10)), np.ones((3, 9))])
