"""The adversary: learns noise that hides a frame's class (Sec. 3.2-3.3, Eqs. 8-9; App. B).

First a linear frame classifier ζ is trained and frozen, then the conditional WGAN. A negative of a sequence X
is y = γ(x - x̂), x a frame of X, x̂ = g(z), z ~ N(X̄, σ² I). The fooling rate, on which Fig. 5 and "60 %" of
Sec. 4 stand, is the share of frames with argmin ζ(y) = argmax ζ(x) (App. B.2).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from acot_core._utils.checks import plain_parameters
from acot_core._utils.progress import Callback, Cancelled
from acot_core.gan._checkpoint import (
    check_resumable,
    contents,
    load_training,
    read_adversary,
    write_adversary,
)
from acot_core.gan._checks import check_parameters
from acot_core.gan.frame_classifier import linear, train_frame_classifier
from acot_core.gan.negatives import draw_negatives
from acot_core.gan.training import (
    HISTORY_COLUMNS,
    FrameTable,
    TrainingState,
    fixed_batch,
    frame_table,
    train,
    uses_bfloat16,
)
from acot_core.gan.wgan import MLP, WGAN
from acot_core.sequences import Negatives, PaddedSequences, check_sequences, resolve_device, resolve_seed

_ROWS = 16384  # frames per pass of the classifier

_NETWORKS = ("classifier_", "generator_", "critic_", "_state")


@dataclass(repr=False, eq=False)
class Adversary(BaseEstimator):
    """Generator of adversarial negatives, with the frame classifier and the critic that train it.

    Parameters
    ----------
    sigma : float, default 0.01
        σ: standard deviation of the latent around its pivot; 0 makes the noise deterministic.
    sigma_unit : {"absolute", "std"}
        "std": σ is ``sigma`` times the features' standard deviation (root mean square over the features, on
        the training frames). The paper's 0.005, 0.01 and 0.1 (Fig. 5) are 0.6, 1.2 and 12 of its features'.
    lambda1, lambda2 : float, default 0.1 and 1.0
        Weights of the classifier's term and of E||x̂||² in Eq. (9).
    n_iter : int, default 1000
        Generator steps.
    pivot : {"mean", "frame"}
        The latent's mean: the sequence's mean X̄ (the paper) or the frame x itself.
    adversarial : bool, default True
        Eq. (9), else the plain WGAN of Eq. (8), y = γ(g(z)), without λ terms.
    target : {"prediction", "label"}
        The class l that Eq. (9) hides: what ζ says of x ("ζ(x) -> l", what the fooling rate counts), or the
        sequence's label.
    n_critic : int, default 5
        Critic steps per generator step.
    clip : float, default 0.01
        Bound on the critic's weights. At 0.01 (Arjovsky et al.) the critic is so flat that it hardly pulls
        the negatives to the data; see `acot_core.experiments.figure5.CLOSE`.
    learning_rate : float, default 1e-4
        RMSprop's rate for generator and critic (App. B.2).
    batch_size : int, default 64
        Frames per step, drawn with replacement: it may exceed the number of frames.
    classifier_iter, classifier_learning_rate : int, float, default 500 and 0.01
        Training of ζ. At the paper's 1e-4, unit-norm features of d = 256 leave ζ below 45 % on its training
        frames after 500 iterations; 0.01 gives the paper's 80 % (on the pose stream of JHMDB).
    hidden : int, optional
        Width of generator and critic; None is d, the paper's.
    eval_every : int, default 20
        Iterations between two rows of the history, each measured on up to 2048 fixed frames per split.
    precision : {"auto", "float32", "bfloat16"}
        Of the networks' products in training; "auto" is bfloat16 where the hardware has it. Sampling and
        ζ use float32 always.
    fast : bool, default True
        Closed-form critic gradients and fused optimiser steps; False: plain autograd. In float32 the result
        is the same to the bit (`acot_core.gan.wgan.WGAN`).
    device : str, default "auto"
    random_state : int, numpy generator or None

    Attributes
    ----------
    classifier_, generator_, critic_ : nn.Module
        ζ (d -> c, frozen), g (d -> d) and h (d -> 1).
    classes_ : (c,) array
        Labels, in the order of ζ's logits.
    sigma_ : float
        σ, in the unit of the features.
    history_ : DataFrame
        Training, row by row.
    cancelled_ : bool
        Whether a callback stopped the last fit.
    seed_ : int
        Seed that ``random_state`` gave.
    n_features_in_ : int
        d.
    fingerprint_ : str
        Digest of the training frames and labels.

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> data = planted(n_sequences=24, random_state=0)
    >>> sequences = data.streams["features"]
    >>> adversary = Adversary(n_iter=5, classifier_iter=20, random_state=0).fit(sequences, data.labels)
    >>> negatives = adversary.sample(sequences[:2], 8, random_state=0)  # eight per sequence, of unit norm
    >>> negatives.frames.shape
    torch.Size([2, 8, 64])
    >>> bool((negatives.frames >= 0).all())
    True
    """

    sigma: float = 0.01
    lambda1: float = 0.1
    lambda2: float = 1.0
    n_iter: int = 1000
    pivot: Literal["mean", "frame"] = "mean"
    adversarial: bool = True
    target: Literal["prediction", "label"] = "prediction"
    n_critic: int = 5
    clip: float = 0.01
    learning_rate: float = 1e-4
    batch_size: int = 64
    classifier_iter: int = 500
    classifier_learning_rate: float = 0.01
    hidden: int | None = None
    eval_every: int = 20
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    fast: bool = True
    sigma_unit: Literal["absolute", "std"] = "absolute"
    device: str = "auto"
    random_state: int | np.random.RandomState | np.random.Generator | None = None

    @torch.inference_mode(False)
    @torch.enable_grad()  # whatever the caller has switched off
    def fit(
        self,
        X: Sequence[Any],
        y: Any,
        *,
        callback: Callback | None = None,
        held_out: tuple[Sequence[Any], Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        resume: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train ζ, then generator and critic.

        Parameters
        ----------
        X : sequence of N array-likes (n_i, d)
            Non-negative frame features; scaled to unit norm. d >= 2.
        y : (N,) array-like
            Class of each sequence; at least two classes.
        callback : callable, optional
            Gets `Progress` ("classifier", then "adversary") with the latest row of the history as values; may
            raise `Cancelled`: then fit returns, with what was trained until then.
        held_out : (sequences, labels), optional
            More sequences, of the same classes, on which the history is evaluated too.
        checkpoint : path, optional
            Where to save the state every ``checkpoint_every`` iterations, each time replacing the last.
        resume : path, optional
            A checkpoint to go on from, of the same data and parameters (``n_iter`` may be larger). On the CPU
            the result equals that of the uninterrupted run, bit for bit.

        Raises
        ------
        ValueError
            Bad parameter, sequence, label or checkpoint.
        """
        plain_parameters(self)
        check_parameters(self.get_params())
        if checkpoint_every < 1:
            raise ValueError(f"checkpoint_every: expected at least 1, got {checkpoint_every}")
        device = resolve_device(self.device)
        table, classes = frame_table(X, y, pivot=self.pivot)
        saved = None if resume is None else read_adversary(resume)
        if saved is not None:
            check_resumable(resume, saved[1], self.get_params(), table.fingerprint)
        splits = {"train": table}
        if held_out is not None:
            splits["held_out"], _ = frame_table(
                *held_out, pivot=self.pivot, classes=classes, n_features=table.n_features, name="held_out"
            )
        for name in _NETWORKS:
            self.__dict__.pop(name, None)
        self.seed_ = resolve_seed(self.random_state) if saved is None else int(saved[1]["seed"])
        self.n_features_in_, self.classes_, self.fingerprint_ = table.n_features, classes, table.fingerprint
        self.cancelled_ = False
        self.sigma_ = self.sigma * (table.std if self.sigma_unit == "std" else 1.0)
        table = table.to(device)
        try:
            if saved is None:
                self._start(table, callback)
            else:
                self._restore(*saved, device)
            train(
                self._state,
                table,
                self._targets(table),
                {
                    name: fixed_batch(split, self._targets(split), (self.seed_ + 1) % 2**63, device)
                    for name, split in splits.items()
                },
                n_iter=self.n_iter,
                n_critic=self.n_critic,
                batch_size=self.batch_size,
                eval_every=self.eval_every,
                callback=callback,
                checkpoint=None if checkpoint is None else lambda: self.save(checkpoint),
                checkpoint_every=checkpoint_every,
            )
        except Cancelled:
            self.cancelled_ = True
        return self

    def _start(self, table: FrameTable, callback: Callback | None) -> None:
        """Train ζ, then initialise the networks."""
        cpu = torch.Generator().manual_seed(self.seed_ % 2**63)
        classifier = train_frame_classifier(
            table.frames,
            table.classes,
            len(self.classes_),
            generator=cpu,
            n_iter=self.classifier_iter,
            learning_rate=self.classifier_learning_rate,
            callback=callback,
        )
        self._assemble(classifier, cpu)

    def _assemble(self, classifier: nn.Linear, cpu: torch.Generator) -> None:
        """Initialise the training state from ζ and a CPU generator."""
        d, device = self.n_features_in_, classifier.weight.device
        generator, critic = (MLP(d, self.hidden or d, n_out, cpu, device) for n_out in (d, 1))
        shared = ("lambda1", "lambda2", "clip", "learning_rate")
        mixed = uses_bfloat16(self.precision, device)
        settings = {name: getattr(self, name) for name in ("adversarial", "fast")}
        settings |= {name: float(getattr(self, name)) for name in shared}
        wgan = WGAN(generator, critic, classifier, sigma=self.sigma_, mixed=mixed, **settings)
        self._state = TrainingState(wgan, torch.Generator(device).manual_seed(self.seed_ % 2**63))
        self.classifier_, self.generator_, self.critic_ = classifier, generator, critic

    def _targets(self, table: FrameTable) -> Tensor:
        """The class l of Eq. (9) for each frame, on the frames' device: (T,)"""
        if self.target == "label":
            return table.classes
        predicted = [self.classifier_(f.to(self._device)).argmax(-1) for f in table.frames.split(_ROWS)]
        return torch.cat(predicted).to(table.frames.device)

    @property
    def _device(self) -> torch.device:
        return self.classifier_.weight.device

    @property
    def is_fitted(self) -> bool:
        """Whether there is a generator to sample from, trained for at least one step (or n_iter = 0)."""
        return hasattr(self, "_state") and (self.n_iter_ > 0 or self.n_iter == 0)

    @property
    def n_iter_(self) -> int:
        """Generator steps done."""
        return self._state.step

    def __sklearn_is_fitted__(self) -> bool:
        return self.is_fitted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.target_tags.required = False, True
        return tags

    @property
    def history_(self) -> pd.DataFrame:
        """Tidy table of the training: one row per evaluated iteration and split ("train", "held_out").

        Columns: iteration, split, fooling_rate (argmin ζ(y) = argmax ζ(x)), misclassification_rate
        (argmax ζ(y) != argmax ζ(x)), noise_norm (mean ||x̂||), wasserstein (E h(x) - E h(y)), generator_loss.
        """
        # A copy: another thread may be training, and pandas reads the rows more than once.
        rows = list(self._state.history) if hasattr(self, "_state") else []
        return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))

    def sample(self, sequences: Sequence[Any], n_negatives: int | str, random_state: Any = None) -> Negatives:
        """Sample negatives y = γ(x - x̂) for each sequence.

        Parameters
        ----------
        sequences : sequence of N array-likes (n_i, d)
            Frames in any positive scale.
        n_negatives : int or str
            m, or "2n": twice as many as the sequence has frames. The negatives are made from the sequence's
            frames in turn, in a random order.
        random_state : optional
            Seed; None takes the one of fit. A sequence's noise depends on the seed and its own content only.

        Returns
        -------
        Negatives
            frames (N, max m_i, d) on the adversary's device, rows of unit norm, with the frame that each was
            made from as ``origin`` (N, max m_i).

        Raises
        ------
        ValueError
            Bad sequences or ``n_negatives``.
        NotFittedError
            Before fit.
        """
        return self._draw(
            sequences, n_negatives, random_state, lambda x, noise: self._state.wgan.negatives(x, noise)
        )

    def noise(self, sequences: Sequence[Any], n_negatives: int | str, random_state: Any = None) -> Negatives:
        """The noise x̂ behind `sample`'s negatives, not normalised: same arguments, same draws."""
        return self._draw(sequences, n_negatives, random_state, lambda x, noise: noise)

    @torch.no_grad()
    def _draw(
        self,
        sequences: Sequence[Any],
        n_negatives: int | str,
        random_state: Any,
        result: Callable[[Tensor, Tensor], Tensor],
    ) -> Negatives:
        """What ``result`` makes of frames x (b, m, d) and their noise x̂ (b, m, d), for each sequence."""
        if not self.is_fitted:
            raise NotFittedError("this Adversary is not fitted yet: call fit first")
        checked = check_sequences(sequences, n_features=self.n_features_in_)
        seed = self.seed_ if random_state is None else resolve_seed(random_state)

        def make(x: Tensor, normal: Tensor, chunk: PaddedSequences, out: Tensor) -> None:
            mean = chunk.frames.sum(1, keepdim=True) / chunk.lengths[:, None, None]
            pivot = mean if self.pivot == "mean" else x
            out.copy_(result(x, self.generator_(normal.mul_(self.sigma_).add_(pivot))))

        return draw_negatives(checked, n_negatives, seed, make, device=self._device)

    def save(self, path: str | os.PathLike[str], *, resumable: bool = True) -> Path:
        """Write the whole state (networks, optimisers, random generator, history) to ``path``, atomically.

        Safetensors with JSON in its header: `load` samples from it, ``fit(..., resume=path)`` trains on. A
        file with ``resumable=False`` is half as large and samples only.
        """
        if not hasattr(self, "_state"):
            raise NotFittedError("this Adversary has nothing to save yet: call fit first")
        return write_adversary(path, self, resumable)

    def __getstate__(self) -> dict[str, Any]:
        """Parameters, arrays and JSON in place of networks: what skops can store, which takes no pickle."""
        state = {name: value for name, value in super().__getstate__().items() if name not in _NETWORKS}
        if hasattr(self, "_state"):
            tensors, metadata = contents(self)
            state["_saved"] = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
            state["_metadata"] = json.dumps(metadata | {"parameters": {}}, default=np.generic.item)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        arrays, metadata = state.pop("_saved", None), state.pop("_metadata", None)
        super().__setstate__(state)
        if arrays is not None:
            tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
            self._restore(tensors, json.loads(metadata), resolve_device(self.device))

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: str = "auto") -> Self:
        """Read an adversary that `save` wrote.

        Raises
        ------
        ValueError
            The file is truncated, foreign or of another version.
        """
        tensors, metadata = read_adversary(path)
        try:
            adversary = cls(**metadata["parameters"] | {"device": device})
            check_parameters(adversary.get_params())
            adversary.seed_, adversary.fingerprint_ = int(metadata["seed"]), metadata["fingerprint"]
            adversary.n_features_in_, adversary.sigma_ = metadata["n_features"], float(metadata["sigma"])
            adversary.classes_, adversary.cancelled_ = np.array(metadata["classes"]), False
            adversary._restore(tensors, metadata, resolve_device(device))
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(f"{path}: not a complete adversary ({error})") from error
        return adversary

    def _restore(self, tensors: dict[str, Tensor], metadata: dict[str, Any], device: torch.device) -> None:
        cpu = torch.Generator().manual_seed(0)
        classifier = linear(self.n_features_in_, len(self.classes_), cpu, device).requires_grad_(False)
        classifier.load_state_dict({k: tensors[f"classifier.{k}"] for k in ("weight", "bias")})
        self._assemble(classifier, cpu)
        load_training(self._state, tensors, metadata)
