"""The conditional Wasserstein GAN that makes adversarial noise (Sec. 3.2-3.3, Eqs. 8-9; App. B.1-B.2).

    Eq. (8)  min_g max_h  E h(x) - E h(y),  y = γ(g(z))
    Eq. (9)  min_g max_h  E h(x) - E h(y) + λ1 CE(-ζ(y), l) + λ2 E ||x̂||²,  y = γ(x - x̂),  x̂ = g(z)

with z ~ N(pivot, σ² I). By footnote 3 the classifier's term asks that the *softmin* of ζ(y) be the frame's
class l, hence the negated logits; its other half, on x, does not depend on g. One sign convention: the critic
h is high on data, the critic ascends E h(x) - E h(y), the generator descends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from acot_core.frame_classifier import linear
from acot_core.negatives import subtract
from acot_core.rmsprop import RMSprop

__all__ = ["WGAN", "Batch", "mlp"]


def mlp(d: int, hidden: int, n_out: int, generator: torch.Generator, device: torch.device) -> nn.Sequential:
    """FCN(d, hidden), ReLU, FCN(hidden, hidden), ReLU, FCN(hidden, n_out): g and h of App. B.1."""
    widths = [(d, hidden), (hidden, hidden), (hidden, n_out)]
    first, second, last = (linear(n_in, out, generator, device) for n_in, out in widths)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


@dataclass(frozen=True)
class Batch:
    """What one iteration consumes: S = n_critic + 1 batches of B frames, all on the training device.

    ``frames`` (S, B, d), ``pivots`` (S, B, d), ``classes`` int64 (S, B), ``normal`` (S, B, d) from N(0, I).
    The last of the S is the generator's.
    """

    frames: Tensor
    pivots: Tensor
    classes: Tensor
    normal: Tensor


class WGAN:
    """Generator g, critic h, their optimisers, and one training iteration.

    Parameters
    ----------
    classifier : nn.Linear
        The frozen frame classifier ζ, d -> c.
    hidden : int
        Width of both networks (d in the paper).
    sigma, lambda1, lambda2 : float
        σ of z, and the weights of Eq. (9).
    adversarial : bool
        Eq. (9), else Eq. (8).
    clip, learning_rate : float
        Bound on the critic's weights after each of its steps; RMSprop's rate.
    mixed : bool
        Products of the two networks in bfloat16; weights, losses, negatives and ζ stay in float32.
    generator : torch.Generator
        A CPU generator for the networks' start.
    """

    mixed = False

    def __init__(
        self,
        classifier: nn.Linear,
        *,
        hidden: int,
        sigma: float,
        lambda1: float,
        lambda2: float,
        adversarial: bool,
        clip: float,
        learning_rate: float,
        mixed: bool,
        generator: torch.Generator,
    ) -> None:
        d, device = classifier.in_features, classifier.weight.device
        self.classifier = classifier
        self.sigma, self.lambda1, self.lambda2 = sigma, lambda1, lambda2
        self.adversarial, self.clip = adversarial, clip
        self.generator = mlp(d, hidden, d, generator, device)
        self.critic = mlp(d, hidden, 1, generator, device)
        self.mixed = mixed
        self._critic_weights: list[Tensor] = list(self.critic.parameters())
        self._generator_weights: list[Tensor] = list(self.generator.parameters())
        self.critic_optimiser = RMSprop(self._critic_weights, learning_rate, clip=clip)
        self.generator_optimiser = RMSprop(self._generator_weights, learning_rate)

    def noise(self, pivots: Tensor, normal: Tensor) -> Tensor:
        """x̂ = g(pivot + σ ε), ε ~ N(0, I). (..., d), (..., d) -> (..., d)"""
        return self._run(self.generator, pivots + self.sigma * normal)

    def negatives(self, frames: Tensor, noise: Tensor) -> Tensor:
        """y of Eq. (9), or of Eq. (8) where y comes from the generator alone. (..., d)"""
        return subtract(frames, noise) if self.adversarial else subtract(noise, torch.zeros_like(noise))

    def wasserstein(self, frames: Tensor, negatives: Tensor) -> Tensor:
        """E h(x) - E h(y), from one pass over both (B, d); W1 up to the critic's Lipschitz constant."""
        scores = self._run(self.critic, torch.cat([frames, negatives]))
        return scores[: len(frames)].mean() - scores[len(frames) :].mean()

    def generator_loss(self, frames: Tensor, noise: Tensor, classes: Tensor) -> Tensor:
        """What g descends: the terms of Eq. (8) or (9) that depend on it. (B, d), (B, d), (B,) -> scalar"""
        negatives = self.negatives(frames, noise)
        loss = -self._run(self.critic, negatives).mean()
        if self.adversarial:
            loss = loss + self.lambda1 * cross_entropy(-self.classifier(negatives), classes)
            loss = loss + self.lambda2 * noise.square().sum(-1).mean()
        return loss

    def critic_step(self, frames: Tensor, negatives: Tensor) -> None:
        """One ascent step of h on E h(x) - E h(y), its weights clipped after it. (B, d), (B, d)"""
        self.critic_gradients(frames, negatives, self.critic_optimiser.gradients)
        self.critic_optimiser.step(self.critic_optimiser.gradients)

    @torch.no_grad()
    def critic_gradients(self, frames: Tensor, negatives: Tensor, out: Sequence[Tensor]) -> None:
        """Gradients of E h(y) - E h(x) by the critic's weights and biases, layer by layer, into ``out``.

        The loss is linear in the scores, so that none is computed: a frame's counts -1/B, a negative's 1/B.
        Autograd finds the same and takes longer, mostly for its bookkeeping. (B, d), (B, d)
        """
        kind = torch.bfloat16 if self.mixed else torch.float32
        w1, b1, w2, b2, w3, _ = (weight.to(kind) for weight in self._critic_weights)
        rows = torch.cat([frames, negatives]).to(kind)
        first = torch.addmm(b1, rows, w1.T).relu_()
        second = torch.addmm(b2, first, w2.T).relu_()
        of_score = rows.new_full((len(rows), 1), 1 / len(negatives))
        of_score[: len(frames)] = -1 / len(frames)
        of_second = torch.ops.aten.threshold_backward(of_score * w3, second, 0)
        of_first = torch.ops.aten.threshold_backward(of_second @ w2, first, 0)
        for (weight, bias), outer, inner in zip(
            zip(out[::2], out[1::2], strict=True),
            (of_first, of_second, of_score),
            (rows, first, second),
            strict=True,
        ):
            if self.mixed:
                weight.copy_(outer.T @ inner)
            else:
                torch.mm(outer.T, inner, out=weight)
            torch.sum(outer, 0, dtype=bias.dtype, out=bias)

    def generator_step(self, frames: Tensor, pivots: Tensor, classes: Tensor, normal: Tensor) -> None:
        """One descent step of g; critic and ζ get no gradients. (B, d), (B, d), (B,), (B, d)"""
        loss = self.generator_loss(frames, self.noise(pivots, normal), classes)
        self.generator_optimiser.step(torch.autograd.grad(loss, self._generator_weights))

    def iterate(self, batch: Batch) -> None:
        """n_critic critic steps, then one generator step."""
        with torch.no_grad():  # g rests while h learns: the fakes of all critic steps in one pass
            fakes = self.negatives(batch.frames[:-1], self.noise(batch.pivots[:-1], batch.normal[:-1]))
        for frames, negatives in zip(batch.frames[:-1], fakes, strict=True):
            self.critic_step(frames, negatives)
        self.generator_step(batch.frames[-1], batch.pivots[-1], batch.classes[-1], batch.normal[-1])

    def state(self) -> dict[str, Tensor]:
        """All tensors that training changes, by name: both networks and their optimisers' squares."""
        tensors = {f"generator.{k}": t for k, t in self.generator.state_dict().items()}
        tensors |= {f"critic.{k}": t for k, t in self.critic.state_dict().items()}
        return tensors | {
            "generator_squares": self.generator_optimiser.squares,
            "critic_squares": self.critic_optimiser.squares,
        }

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Copy what `state` gave into this one's tensors, which stay where they are; other names are ignored.

        Raises
        ------
        ValueError
            A tensor is missing or has another shape.
        """
        for name, tensor in self.state().items():
            given = tensors.get(name)
            if given is None or given.shape != tensor.shape:
                got = "nothing" if given is None else f"shape {tuple(given.shape)}"
                raise ValueError(f"{name}: expected shape {tuple(tensor.shape)}, got {got}")
            tensor.copy_(given)

    def _run(self, network: nn.Module, rows: Tensor) -> Tensor:
        """A network on rows (..., d), its products in bfloat16 where ``mixed``; float32 comes out."""
        if not self.mixed:
            return network(rows).float()
        # No cache: it would keep the casts of weights that have changed since.
        with torch.autocast(rows.device.type, torch.bfloat16, cache_enabled=False):
            return network(rows).float()
