"""Supervised embeddings of frames, with and without order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import pairwise_distances

from acot_core.baselines import GRP, SupervisedPooling
from acot_core.datasets import planted
from acot_core.sequences import pad

DATA = planted(n_sequences=48, random_state=0)
CLIPS = DATA.streams["features"]
MEANS = np.stack([s.mean(0).numpy() for s in CLIPS])


def test_lda_of_averages_is_scikit_learns() -> None:
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(MEANS, DATA.labels)
    ours = SupervisedPooling("lda").fit(CLIPS, DATA.labels).transform(CLIPS)
    np.testing.assert_allclose(ours, lda.transform(MEANS), rtol=1e-3, atol=1e-4)


def test_probabilities_sum_to_one() -> None:
    for on in ("averages", "frames"):
        pooled = SupervisedPooling("probabilities", on=on).fit(CLIPS, DATA.labels).transform(CLIPS)
        assert pooled.shape == (48, 6)
        np.testing.assert_allclose(pooled.sum(1), 1, rtol=1e-5)


def test_order_is_grp_of_the_embedded_frames() -> None:
    pooling = SupervisedPooling("lda", on="frames", order=True, n_subspaces=2, beta2=3.0).fit(
        CLIPS, DATA.labels
    )
    embedded = [torch.from_numpy(pooling.embed_(s.numpy())).float() for s in CLIPS[:4]]
    unit = [torch.nn.functional.normalize(e, dim=1) for e in embedded]
    expected = GRP(2, beta2=3.0)._pool(pad(unit)).numpy()
    np.testing.assert_allclose(pooling.transform(CLIPS[:4]), expected, atol=1e-5)


def test_order_tells_a_sequence_from_its_reversal() -> None:
    ordered = SupervisedPooling("lda", on="frames", order=True, beta2=200.0).fit(CLIPS, DATA.labels)
    plain = SupervisedPooling("lda", on="frames").fit(CLIPS, DATA.labels)
    back = [s.flip(0) for s in CLIPS]
    np.testing.assert_allclose(plain.transform(back), plain.transform(CLIPS), atol=1e-5)
    cosines = np.einsum("ndk,ndk->n", ordered.transform(back), ordered.transform(CLIPS))
    assert np.abs(cosines).min() < 0.9


def test_more_dimensions_than_the_map_has_are_cut() -> None:
    assert SupervisedPooling("lda", order=True, n_subspaces=8).fit(CLIPS, DATA.labels).transform(
        CLIPS
    ).shape == (48, 5, 5)


@pytest.mark.parametrize("bad", [{"embedding": "pca"}, {"on": "clips"}, {"embedding": "nca", "on": "frames"}])
def test_bad_parameters(bad: dict) -> None:
    with pytest.raises(ValueError, match=r"embedding|on"):
        SupervisedPooling(**bad).fit(CLIPS, DATA.labels)


@pytest.mark.parametrize("embedding", ["lda", "nca", "probabilities"])
def test_one_sequence_of_each_class_is_enough(embedding: str) -> None:
    """LDA raised scikit-learn's "number of samples must be more than the number of classes"."""
    one_each = [int(np.flatnonzero(DATA.labels == c)[0]) for c in range(6)]
    pooling = SupervisedPooling(embedding).fit([CLIPS[i] for i in one_each], DATA.labels[one_each])
    near = pairwise_distances(pooling.transform(CLIPS), pooling.transform([CLIPS[i] for i in one_each]))
    assert (near.argmin(1) == DATA.labels)[one_each].all()
    narrow = [c[:, :3] for c in CLIPS]
    assert np.isfinite(
        pooling.fit([narrow[i] for i in one_each], DATA.labels[one_each]).transform(narrow)
    ).all()


def test_one_class_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="labels: expected"):
        SupervisedPooling("lda").fit(CLIPS[:3], DATA.labels[:1].repeat(3))


def test_classes_of_one_sequence_do_not_break_the_discriminants() -> None:
    one_each = [int(np.flatnonzero(DATA.labels == c)[0]) for c in range(6)]
    one_each.append(int(np.flatnonzero(DATA.labels == 0)[1]))  # else there is no spread within classes at all
    few, labels = [CLIPS[i] for i in one_each], DATA.labels[one_each]
    pooled = SupervisedPooling("lda").fit(few, labels).transform(CLIPS)
    assert np.isfinite(pooled).all()
