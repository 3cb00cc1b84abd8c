"""The adversary: learns noise that hides a frame's class (Sec. 3.2-3.3, Eqs. 8-9; App. B).

First a linear frame classifier ζ is trained and frozen, then the conditional WGAN. A negative of a sequence X
is y = γ(x - x̂), x a frame of X, x̂ = g(z), z ~ N(X̄, σ² I). The fooling rate, on which Fig. 5 and "60 %" of
Sec. 4 stand, is the share of frames with argmin ζ(y) = argmax ζ(x) (App. B.2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from acot_core.adversary_checks import KIND, check_parameters, check_resumable, read_adversary
from acot_core.adversary_data import FrameTable, frame_table
from acot_core.adversary_training import HISTORY_COLUMNS, TrainingState, fixed_batch, train, uses_bfloat16
from acot_core.checkpoints import write_checkpoint
from acot_core.frame_classifier import linear, train_frame_classifier
from acot_core.negatives import draw_pairs
from acot_core.progress import Callback, Cancelled
from acot_core.sequences import PaddedSequences, check_sequences, pad, resolve_device, resolve_seed
from acot_core.wgan import WGAN

__all__ = ["Adversary"]

_ROWS = 16384  # frames a generator pass in sampling


class Adversary(BaseEstimator):
    """Generator of adversarial negatives, with the frame classifier and the critic that train it.

    Parameters
    ----------
    sigma : float, default 0.01
        σ: standard deviation of the latent around its pivot; 0 makes the noise deterministic.
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
        Critic steps a generator step.
    clip : float, default 0.01
        Bound on the critic's weights. At 0.01 (Arjovsky et al.) the critic is so flat that it hardly pulls
        the negatives to the data; see `acot_core.experiments.fooling.CLOSE`.
    learning_rate : float, default 1e-4
        RMSprop's rate for generator and critic (App. B.2).
    batch_size : int, default 64
        Frames a step, drawn with replacement: it may exceed the number of frames.
    classifier_iter, classifier_learning_rate : int, float, default 500 and 0.01
        Training of ζ. At the paper's 1e-4, unit-norm features of d = 256 leave ζ below 45 % on its training
        frames after 500 iterations; 0.01 gives the paper's 80 % (on the pose stream of JHMDB).
    hidden : int, optional
        Width of generator and critic; None is d, the paper's.
    eval_every : int, default 20
        Iterations between two rows of the history, each measured on up to 2048 fixed frames a split.
    precision : {"auto", "float32", "bfloat16"}
        Of the networks' products in training; "auto" is bfloat16 where the hardware has it. Sampling and
        ζ use float32 always.
    device : str, default "auto"
    random_state : int, numpy generator or None

    Attributes
    ----------
    classifier_, generator_, critic_ : nn.Module
        ζ (d -> c, frozen), g (d -> d) and h (d -> 1).
    classes_ : (c,) array
        Labels, in the order of ζ's logits.
    cancelled_ : bool
        Whether a callback stopped the last fit.
    seed_ : int
        What ``random_state`` came to.
    n_features_in_ : int
        d.
    fingerprint_ : str
        Digest of the training frames and labels.

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> data = planted(n_sequences=24, random_state=0)
    >>> clips = data.streams["features"]
    >>> adversary = Adversary(n_iter=5, classifier_iter=20, random_state=0).fit(clips, data.labels)
    >>> negatives = adversary.sample(clips[:2], 8, random_state=0)  # eight for each clip, of unit norm
    >>> negatives.frames.shape
    torch.Size([2, 8, 64])
    >>> bool((negatives.frames >= 0).all())
    True
    """

    def __init__(
        self,
        sigma: float = 0.01,
        lambda1: float = 0.1,
        lambda2: float = 1.0,
        n_iter: int = 1000,
        pivot: Literal["mean", "frame"] = "mean",
        adversarial: bool = True,
        target: Literal["prediction", "label"] = "prediction",
        n_critic: int = 5,
        clip: float = 0.01,
        learning_rate: float = 1e-4,
        batch_size: int = 64,
        classifier_iter: int = 500,
        classifier_learning_rate: float = 0.01,
        hidden: int | None = None,
        eval_every: int = 20,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        device: str = "auto",
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
    ) -> None:
        self.sigma = sigma
        self.lambda1 = lambda1
        self.lambda2 = lambda2
        self.n_iter = n_iter
        self.pivot = pivot
        self.adversarial = adversarial
        self.target = target
        self.n_critic = n_critic
        self.clip = clip
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.classifier_iter = classifier_iter
        self.classifier_learning_rate = classifier_learning_rate
        self.hidden = hidden
        self.eval_every = eval_every
        self.precision = precision
        self.device = device
        self.random_state = random_state

    def fit(
        self,
        sequences: Sequence[Any],
        labels: Any,
        callback: Callback | None = None,
        *,
        held_out: tuple[Sequence[Any], Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        resume: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train ζ, then generator and critic.

        Parameters
        ----------
        sequences : sequence of N array-likes (n_i, d)
            Non-negative frame features; scaled to unit norm. d >= 2.
        labels : (N,) array-like
            Class of each sequence; at least two classes.
        callback : callable, optional
            Gets `Progress` ("classifier", then "adversary") with the latest row of the history as values; may
            raise `Cancelled`: then fit returns, and what was trained is kept.
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
        check_parameters(self.get_params())
        if checkpoint_every < 1:
            raise ValueError(f"checkpoint_every: expected at least 1, got {checkpoint_every}")
        device = resolve_device(self.device)
        table, classes = frame_table(sequences, labels, pivot=self.pivot)
        saved = None if resume is None else read_adversary(resume)
        if saved is not None:
            check_resumable(resume, saved[1], self.get_params(), table.fingerprint)
        splits = {"train": table}
        if held_out is not None:
            splits["held_out"], _ = frame_table(
                *held_out, pivot=self.pivot, classes=classes, n_features=table.n_features, name="held_out"
            )
        for name in ("classifier_", "generator_", "critic_", "_state"):
            self.__dict__.pop(name, None)
        self.seed_ = resolve_seed(self.random_state) if saved is None else int(saved[1]["seed"])
        self.n_features_in_, self.classes_, self.fingerprint_ = table.n_features, classes, table.fingerprint
        self.cancelled_ = False
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
        """ζ trained, networks at their start."""
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
        """The training state at its start, from ζ and a CPU generator."""
        device = classifier.weight.device
        shared = ("sigma", "lambda1", "lambda2", "adversarial", "clip", "learning_rate")
        wgan = WGAN(
            classifier,
            hidden=self.hidden or self.n_features_in_,
            mixed=uses_bfloat16(self.precision, device),
            generator=cpu,
            **{name: getattr(self, name) for name in shared},
        )
        self._state = TrainingState(wgan, torch.Generator(device).manual_seed(self.seed_ % 2**63))
        self.classifier_, self.generator_, self.critic_ = classifier, wgan.generator, wgan.critic

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
    def history(self) -> pd.DataFrame:
        """Tidy table of training: one row an evaluated iteration and split ("train", "held_out").

        Columns: iteration, split, fooling_rate (argmin ζ(y) = argmax ζ(x)), misclassification_rate
        (argmax ζ(y) != argmax ζ(x)), noise_norm (mean ||x̂||), wasserstein (E h(x) - E h(y)), generator_loss.
        """
        # A copy: another thread may be training, and pandas reads the rows more than once.
        rows = list(self._state.history) if hasattr(self, "_state") else []
        return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))

    def sample(
        self, sequences: Sequence[Any], n_negatives: int | str, random_state: Any = None
    ) -> PaddedSequences:
        """Negatives y = γ(x - x̂) for each sequence.

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
        PaddedSequences
            frames (N, max m_i, d) on the adversary's device, rows of unit norm.

        Raises
        ------
        ValueError
            Bad sequences or ``n_negatives``.
        NotFittedError
            Before fit.
        """
        frames, noise = self.draw(sequences, n_negatives, random_state)
        negatives = self.negatives(torch.cat(frames), torch.cat(noise))
        return pad(negatives.split([len(f) for f in frames]))

    def noise(
        self, sequences: Sequence[Any], n_negatives: int | str, random_state: Any = None
    ) -> PaddedSequences:
        """The noise x̂ behind `sample`'s negatives, not normalised: same arguments, same draws."""
        return pad(self.draw(sequences, n_negatives, random_state)[1])

    def negatives(self, frames: Tensor, noise: Tensor) -> Tensor:
        """y = γ(x - x̂) of Eq. (9), or γ(x̂) of Eq. (8), from what `draw` gave: (..., d)"""
        return self._state.wgan.negatives(frames, noise)

    @torch.no_grad()
    def draw(
        self, sequences: Sequence[Any], n_negatives: int | str, random_state: Any = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """For each sequence the frames x that negatives are made from, and their noise x̂.

        Same arguments and errors as `sample`.

        Returns
        -------
        frames, noise : lists of N Tensor (m_i, d)
            On the adversary's device.
        """
        if not self.is_fitted:
            raise NotFittedError("this Adversary is not fitted yet: call fit first")
        checked = check_sequences(sequences, n_features=self.n_features_in_)
        seed = self.seed_ if random_state is None else resolve_seed(random_state)
        frames, noise = [], []
        for sequence in checked:
            x, normal = draw_pairs(sequence, n_negatives, seed)
            latent = (sequence.mean(0) if self.pivot == "mean" else x) + self.sigma * normal
            frames.append(x.to(self._device))
            # One by one: the last bits of a product depend on what else is in the batch.
            noise.append(self.generator_(latent.to(self._device)))
        return frames, noise

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the whole state (networks, optimisers, random generator, history) to ``path``, atomically.

        Safetensors with JSON in its header: `load` samples from it, ``fit(..., resume=path)`` trains on.
        """
        if not hasattr(self, "_state"):
            raise NotFittedError("this Adversary has nothing to save yet: call fit first")
        state = self._state
        tensors = {f"classifier.{k}": t for k, t in self.classifier_.state_dict().items()}
        tensors |= state.wgan.state() | {"rng": state.rng.get_state()}
        metadata = {
            "parameters": self.get_params() | {"random_state": self.seed_},
            "seed": self.seed_,
            "mixed": state.wgan.mixed,
            "n_features": self.n_features_in_,
            "classes": self.classes_.tolist(),
            "fingerprint": self.fingerprint_,
            "n_iter_done": state.step,
            "rng_device": state.rng.device.type,
            "history": state.history,
        }
        return write_checkpoint(path, KIND, tensors, metadata)

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
            adversary.n_features_in_ = metadata["n_features"]
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
        state = self._state
        state.wgan.load_state(tensors)
        if metadata["rng_device"] == device.type:
            state.rng.set_state(tensors["rng"])
        state.step, state.history = int(metadata["n_iter_done"]), list(metadata["history"])
