"""ACOT pooling: one subspace a sequence, as a scikit-learn transformer (Sec. 3.4-3.6, Eqs. 10-13)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from acot_core.adversary import Adversary
from acot_core.alternation import Alternation, alternate
from acot_core.baselines.base import SubspacePooling
from acot_core.memory import batch_bytes
from acot_core.negatives import number_of_negatives, random_negatives
from acot_core.progress import Callback, Clock
from acot_core.sequences import (
    PaddedSequences,
    check_labels,
    check_sequences,
    chunks,
    content_seed,
    pad,
    resolve_device,
    resolve_seed,
)
from acot_core.threads import side_by_side
from acot_core.transport import METHODS

__all__ = ["ACOTPooling"]


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
    negatives : {"adversarial", "random"}, default "adversarial"
        Where Y comes from: the generator of Eq. (9), or noise that knows nothing of the data ("COT + Random",
        Sec. 4.1).
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
        Memory that a batch may take beyond the data. Default: 128 MB on a CPU, 4 GB on a GPU.
    n_jobs : int, optional
        Batches at once on a CPU, as in `joblib.Parallel`, each on one thread. None is what
        `joblib.parallel_config` says, else as many as torch has threads. The result does not depend on it.
    random_state : int, numpy generator or None

    Attributes
    ----------
    adversary_ : Adversary or None
        The fitted generator of negatives; None where the negatives are random.
    n_features_in_ : int
        d.
    seed_ : int
        What ``random_state`` came to. The negatives of a sequence depend on it and on the sequence alone.

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> data = planted(random_state=0)
    >>> clips = data.streams["features"][:8]
    >>> ACOTPooling(n_subspaces=2, negatives="random", random_state=0).fit_transform(clips).shape
    (8, 64, 2)
    """

    def __init__(
        self,
        n_subspaces: int = 1,
        *,
        beta1: float = 1.0,
        beta2: float = 10.0,
        eta: float = 0.01,
        n_negatives: int | str = 50,
        negatives: str = "adversarial",
        transport: str = "auto",
        transport_options: Mapping[str, Any] | None = None,
        ground_cost: str = "euclidean",
        surrogate: bool = True,
        solver: str = "rcg",
        n_iter: int = 5,
        n_alternations: int = 1,
        tol: float = 1e-5,
        output: str = "subspace",
        adversary: Adversary | None = None,
        device: str = "auto",
        batch_bytes: int | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
    ) -> None:
        self.n_subspaces = n_subspaces
        self.beta1 = beta1
        self.beta2 = beta2
        self.eta = eta
        self.n_negatives = n_negatives
        self.negatives = negatives
        self.transport = transport
        self.transport_options = transport_options
        self.ground_cost = ground_cost
        self.surrogate = surrogate
        self.solver = solver
        self.n_iter = n_iter
        self.n_alternations = n_alternations
        self.tol = tol
        self.output = output
        self.adversary = adversary
        self.device = device
        self.batch_bytes = batch_bytes
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Sequence[Any], y: Any = None, *, callback: Callback | None = None) -> Self:
        """Check the sequences and, where the negatives are adversarial, train their generator.

        Parameters
        ----------
        X : sequence of N array-likes (n_i, d)
        y : (N,) array-like
            Class labels; needed only where an adversary is to be trained.
        callback : callable, optional
            Gets the `Progress` of the adversary's training.

        Raises
        ------
        ValueError
            A bad parameter, sequence or label; an adversary that was fitted on another number of features.
        """
        self._check_parameters()
        sequences = check_sequences(X, name="X")
        self.n_features_in_ = sequences[0].shape[1]
        self._fit(sequences)
        self.seed_ = resolve_seed(self.random_state)
        self.adversary_ = None
        if self.negatives == "adversarial":
            adversary = self.adversary
            if adversary is None:
                adversary = Adversary(device=self.device, random_state=self.seed_)
            if not adversary.is_fitted:
                if y is None:
                    raise ValueError("y: class labels are needed to train the adversary; got None")
                adversary = clone(adversary).fit(X, check_labels(y, len(sequences)), callback)
            if adversary.n_features_in_ != self.n_features_in_:
                raise ValueError(
                    f"adversary: it was fitted on {adversary.n_features_in_} features, "
                    f"X[0] has shape {tuple(sequences[0].shape)}"
                )
            self.adversary_ = adversary
        return self

    def transform(self, X: Sequence[Any], *, callback: Callback | None = None) -> np.ndarray:
        """Pool each of the N sequences (n_i, d): float32 (N, d, k), or (N, d) for ``output="projection"``.

        Raises
        ------
        ValueError
            A bad sequence.
        NotFittedError
            Before fit.
        """
        check_is_fitted(self, "seed_")
        sequences = check_sequences(X, name="X", n_features=self.n_features_in_)
        shape = (self.n_features_in_, self.n_subspaces) if self.output == "subspace" else self.n_features_in_
        pooled = np.empty((len(sequences), *np.atleast_1d(shape)), np.float32)
        clock = Clock("pooling", len(sequences), callback)
        done = 0
        for positions, part in self._pool_batches(sequences):
            pooled[positions] = part
            done += len(positions)
            clock.report(done)
        return pooled

    def explain(self, sequence: Any) -> tuple[PaddedSequences, PaddedSequences, Alternation]:
        """What pooling one sequence (n, d) made: its frames, negatives, plan, subspace and history.

        Negatives and subspace are those of `transform`.
        """
        check_is_fitted(self, "seed_")
        return self._solve(check_sequences([sequence], name="sequence", n_features=self.n_features_in_))

    def sample_negatives(self, sequences: Sequence[Any]) -> PaddedSequences:
        """The negatives Y that each sequence is contrasted with: frames (N, m, d)."""
        check_is_fitted(self, "seed_")
        if self.adversary_ is None:
            return random_negatives(sequences, self.n_negatives, self.seed_, n_features=self.n_features_in_)
        return self.adversary_.sample(sequences, self.n_negatives, self.seed_)

    def _pool_batches(self, sequences: list[Tensor]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        # Frames, negatives and images in d dimensions, in single precision and a block in double; products,
        # costs, plans and coordinates between them in double.
        m = [number_of_negatives(self.n_negatives, len(s)) for s in sequences]
        rows = [len(s) + m_i for s, m_i in zip(sequences, m, strict=True)]
        row_bytes = 4 * (2 * self.n_features_in_ + 16 * max(m))
        device = resolve_device(self.device)
        parts = chunks(rows, row_bytes, self.batch_bytes or batch_bytes(device))
        one_by_one = device.type != "cpu"
        batches = [[sequences[i] for i in part] for part in parts]
        yield from zip(
            parts, side_by_side(self._pool_batch, batches, 1 if one_by_one else self.n_jobs), strict=True
        )

    def _pool_batch(self, sequences: list[Tensor]) -> np.ndarray:
        batch, _, result = self._solve(sequences)
        return self._describe(batch, result.subspace).cpu().numpy()

    def _solve(self, sequences: list[Tensor]) -> tuple[PaddedSequences, PaddedSequences, Alternation]:
        batch = pad(sequences).to(resolve_device(self.device))
        negatives = self.sample_negatives(sequences).to(batch.frames.device)
        return batch, negatives, self._alternate(batch, negatives, sequences)

    def _alternate(
        self, batch: PaddedSequences, negatives: PaddedSequences, sequences: list[Tensor]
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
        choices = {
            "negatives": ("adversarial", "random"),
            "transport": ("auto", *METHODS),
            "ground_cost": ("euclidean", "sqeuclidean"),
            "solver": ("rcg", "pymanopt"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: expected one of {allowed}, got {getattr(self, name)!r}")
        for name, least in (("n_iter", 0), ("n_alternations", 1), ("batch_bytes", 1)):
            value = getattr(self, name)
            if value is None and name == "batch_bytes":
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
        if not self.tol >= 0:
            raise ValueError(f"tol: expected a non-negative number, got {self.tol!r}")
        if self.transport_options is not None:
            _check_options(self.transport, self.transport_options)

    def _pool(self, batch: PaddedSequences) -> Tensor:
        """Subspaces of one batch, described as `output` says."""
        return self._describe(batch, self._solve(batch.unpad())[2].subspace)


def _check_options(transport: str, options: Any) -> None:
    """Refuse what is no mapping, or holds options that the transport solver does not know."""
    if not isinstance(options, Mapping):
        raise ValueError(f"transport_options: expected a dict, got {options!r}")
    # "auto" does not say which solver it will be.
    known = (
        set() if transport == "auto" else set(signature(METHODS[transport]).parameters) - {"cost", "a", "b"}
    )
    if unknown := options.keys() - known:
        raise ValueError(
            f"transport_options: {transport!r} takes {sorted(known) or 'none'}, got {sorted(unknown)}"
        )
