"""ACOT pooling: one subspace per sequence, as a scikit-learn transformer (Sec. 3.4-3.6, Eqs. 10-13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from acot_core._utils.checks import check_choice, check_int, check_number
from acot_core._utils.progress import Callback
from acot_core.gan.adversary import Adversary
from acot_core.gan.negatives import number_of_negatives
from acot_core.gan.sources import (
    FramesThemselves,
    GivenNegatives,
    NegativeSource,
    OtherSequences,
    RandomNegatives,
)
from acot_core.pooling.base import SubspacePooling
from acot_core.sequences import (
    CheckedSequences,
    Negatives,
    PaddedSequences,
    check_sequences,
    content_seed,
    pad,
    resolve_device,
    resolve_seed,
)
from acot_core.subspace.alternation import Alternation, alternate
from acot_core.subspace.solve import working_bytes
from acot_core.transport import METHODS
from acot_core.transport._solve import check_options


@dataclass(repr=False, eq=False)
class ACOTPooling(SubspacePooling):
    """Represent each sequence by the subspace that Eq. (10) finds for it.

    Parameters
    ----------
    n_subspaces : int, default 1
        k. Where a sequence has fewer independent frames than k, its basis is completed, so any k <= d works.
    beta1, beta2, eta : float, defaults 1, 10 and 0.01
        Weights of distortion and order, and the order's margin, Eq. (10). A sequence of one frame has no
        order term.
    n_negatives : int or str, default 50
        m, or "2n" for twice as many as the sequence has frames (Table 1).
    negatives : {"adversarial", "random", "others", "self"}, (m, d) array-like or callable
        Where Y comes from: the generator of Eq. (9), the default; noise that knows nothing of the data (Sec.
        4.1, "COT + Random"); frames of the other sequences of fit; the frames themselves; one's own array,
        the same for each sequence; or one's own function (frames (n, d), m, numpy generator) -> (m, d). See
        `acot_core.gan.sources`.
    same_class : bool, default True
        Whether ``negatives="others"`` are frames of a sequence's own class, too; False needs y in fit.
        Sequences that fit has not seen have no known class, and get frames of all.
    transport : {"auto", "ipot", "emd", "sinkhorn", "uniform", "identity", "random"}, default "auto"
        How the plan is made; the last three ignore the cost ("No OT" is "uniform").
    transport_options : dict, optional
        Passed to the transport solver.
    ground_cost : {"euclidean", "sqeuclidean"}, default "euclidean"
        Cost of Eq. (4), or of Eq. (5).
    surrogate : bool, default True
        The subspace step minimises Eq. (13), as in the paper; False: the ground cost itself.
    solver : {"rcg", "pymanopt"}, default "rcg"
        Batched conjugate gradient, or the reference, one sequence at a time.
    n_iter : int, default 5
        Conjugate gradient iterations in each subspace step.
    n_alternations : int, default 1
        Alternations of plan and subspace at most.
    tol : float, default 1e-5
        Relative change of the objective at which a sequence stops alternating.
    output : {"subspace", "projection"}, default "subspace"
        U (N, d, k) for `GrassmannSVC`, or the mean of UU'X (N, d) for a linear classifier. The sum of each
        column of U is made non-negative, so that u and -u are one representation when k = 1.
    adversary : Adversary, optional
        A fitted one is used as it is; an unfitted one, or None for the paper's settings, is trained in `fit`.
    device : str, default "auto"
    batch_bytes : int, optional
        Memory that pooling may take beyond the data (one sequence may take more). Default: 256 MB on a CPU,
        4 GB on a GPU.
    n_jobs : int, optional
        Batches in parallel on a CPU, as in `joblib.Parallel`, each on one thread. None is what
        `joblib.parallel_config` says, else as many as torch has threads. The result does not depend on it.
    random_state : int, numpy generator or None

    Attributes
    ----------
    source_ : NegativeSource
        What `sample_negatives` draws from.
    adversary_ : Adversary or None
        The fitted generator of negatives; None where they come from elsewhere.
    n_features_in_ : int
        d.
    seed_ : int
        What ``random_state`` came to. The negatives of a sequence depend on it and on the sequence alone.

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> data = planted(random_state=0)
    >>> sequences = data.streams["features"][:8]
    >>> ACOTPooling(n_subspaces=2, negatives="random", random_state=0).fit_transform(sequences).shape
    (8, 64, 2)
    >>> average = [sequence.mean(0) for sequence in sequences]  # one's own: the eight average frames
    >>> pooling = ACOTPooling(negatives=average, random_state=0).fit(sequences)
    >>> pooling.sample_negatives(sequences[:3]).frames.shape
    torch.Size([3, 8, 64])
    """

    n_subspaces: int = 1
    _: KW_ONLY
    beta1: float = 1.0
    beta2: float = 10.0
    eta: float = 0.01
    n_negatives: int | str = 50
    negatives: Any = "adversarial"
    same_class: bool = True
    transport: str = "auto"
    transport_options: Mapping[str, Any] | None = None
    ground_cost: str = "euclidean"
    surrogate: bool = True
    solver: str = "rcg"
    n_iter: int = 5
    n_alternations: int = 1
    tol: float = 1e-5
    output: str = "subspace"
    adversary: Adversary | None = None
    device: str = "auto"
    batch_bytes: int | None = None
    n_jobs: int | None = None
    random_state: int | np.random.RandomState | np.random.Generator | None = None

    def _fit(self, sequences: CheckedSequences, y: Any, callback: Callback | None) -> None:
        super()._fit(sequences, y, callback)
        self.seed_ = resolve_seed(self.random_state)
        self.adversary_ = None
        self.source_: NegativeSource
        if not isinstance(self.negatives, str):
            if not callable(self.negatives):
                check_sequences([self.negatives], name="negatives", n_features=self.n_features_in_)
            self.source_ = GivenNegatives(self.negatives)
        elif self.negatives == "adversarial":
            self.source_ = self.adversary_ = self._fit_adversary(sequences, y, callback)
        elif self.negatives == "others":
            self.source_ = OtherSequences(sequences, y, self.same_class)
        elif self.negatives == "self":
            self.source_ = FramesThemselves()
        else:
            self.source_ = RandomNegatives(str(resolve_device(self.device)))

    def _fit_adversary(self, sequences: CheckedSequences, y: Any, callback: Callback | None) -> Adversary:
        """The given adversary, trained unless it is fitted."""
        adversary = self.adversary
        if adversary is None:
            adversary = Adversary(device=self.device, random_state=self.seed_)
        if not adversary.is_fitted:
            if y is None:
                raise ValueError("y: class labels are needed to train the adversary; got None")
            adversary = clone(adversary).fit(sequences, y, callback=callback)
        if adversary.n_features_in_ != self.n_features_in_:
            raise ValueError(
                f"adversary: it was fitted on {adversary.n_features_in_} features, "
                f"X[0] has shape {tuple(sequences[0].shape)}"
            )
        return adversary

    def explain(self, sequence: Any) -> tuple[PaddedSequences, Negatives, Alternation]:
        """Pool one sequence (n, d) and return its frames, negatives, plan, subspace and history.

        Negatives and subspace are those of `transform`.
        """
        check_is_fitted(self, "seed_")
        return self._solve(check_sequences([sequence], name="sequence", n_features=self.n_features_in_))

    def sample_negatives(self, sequences: Sequence[Any]) -> Negatives:
        """Negatives Y of each sequence: frames (N, m, d) and the frame that each came from, (N, m)."""
        check_is_fitted(self, "seed_")
        checked = check_sequences(sequences, n_features=self.n_features_in_)
        return self.source_.sample(checked, self.n_negatives, self.seed_)

    def _bytes(self, n: int) -> int:
        m = number_of_negatives(self.n_negatives, n)
        d = self.n_features_in_
        return 4 * m * d + working_bytes(n, m, d, self.n_subspaces)

    def _pool_batch(self, sequences: CheckedSequences) -> np.ndarray:
        batch, _, result = self._solve(sequences)
        return self._describe(batch, result.subspace).cpu().numpy()

    def _solve(self, sequences: CheckedSequences) -> tuple[PaddedSequences, Negatives, Alternation]:
        batch = pad(sequences).to(resolve_device(self.device))
        negatives = self.sample_negatives(sequences).to(batch.frames.device)
        return batch, negatives, self._alternate(batch, negatives, sequences)

    def _alternate(
        self, batch: PaddedSequences, negatives: Negatives, sequences: list[Tensor]
    ) -> Alternation:
        options = dict(self.transport_options or {})
        if self.transport == "random":
            options.setdefault("seed", [content_seed(s, self.seed_) for s in sequences])
        return alternate(
            batch,
            negatives,
            n_subspaces=self.n_subspaces,
            beta1=self.beta1,
            beta2=self.beta2,
            eta=self.eta,
            transport=self.transport,
            transport_options=options,
            ground_cost=self.ground_cost,  # type: ignore[arg-type]
            surrogate=self.surrogate,
            solver=self.solver,  # type: ignore[arg-type]
            n_iter=self.n_iter,
            n_alternations=self.n_alternations,
            tol=self.tol,
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        number_of_negatives(self.n_negatives, 1)
        if isinstance(self.negatives, str):
            check_choice("negatives", self.negatives, ("adversarial", "random", "others", "self"))
            if self.negatives == "others" and self.transport == "identity":
                raise ValueError(
                    "transport: 'identity' couples frames with their own negatives, not 'others'"
                )
        if self.adversary is not None and not isinstance(self.adversary, Adversary):
            raise ValueError(f"adversary: expected an Adversary or None, got {self.adversary!r}")
        check_choice("transport", self.transport, ("auto", *METHODS))
        check_choice("ground_cost", self.ground_cost, ("euclidean", "sqeuclidean"))
        check_choice("solver", self.solver, ("rcg", "pymanopt"))
        check_int("n_alternations", self.n_alternations, least=1)
        if self.batch_bytes is not None:
            check_int("batch_bytes", self.batch_bytes, least=1)
        check_number("tol", self.tol)
        check_options(self.transport, self.transport_options or {}, "transport_options")
