"""The conditional Wasserstein GAN that generates adversarial noise (Sec. 3.2-3.3, Eqs. 8-9; App. B.1-B.2).

    Eq. (8)  min_g max_h  E h(x) - E h(y),  y = γ(g(z))
    Eq. (9)  min_g max_h  E h(x) - E h(y) + λ1 CE(-ζ(y), l) + λ2 E ||x̂||²,  y = γ(x - x̂),  x̂ = g(z)

with z ~ N(pivot, σ² I). By footnote 3 the classifier's term asks that the *softmin* of ζ(y) be the frame's
class l, hence the negated logits; its other half, on x, does not depend on g. One sign convention: the critic
h is high on data, the critic ascends E h(x) - E h(y), the generator descends it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from acot_core.gan._fast import critic_gradients
from acot_core.gan._rmsprop import FusedRMSprop, RMSprop
from acot_core.gan.frame_classifier import linear
from acot_core.gan.negatives import subtract

__all__ = ["MLP", "WGAN", "Batch"]


class MLP(nn.Sequential):
    """FCN(d, hidden), ReLU, FCN(hidden, hidden), ReLU, FCN(hidden, n_out): g and h of App. B.1."""

    def __init__(
        self, d: int, hidden: int, n_out: int, generator: torch.Generator, device: torch.device
    ) -> None:
        widths = [(d, hidden), (hidden, hidden), (hidden, n_out)]
        first, second, last = (linear(n_in, out, generator, device) for n_in, out in widths)
        super().__init__(first, nn.ReLU(), second, nn.ReLU(), last)


@dataclass(frozen=True)
class Batch:
    """Batches of one iteration: S = n_critic + 1 of B frames each, all on the training device.

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
    generator, critic, classifier : nn.Module
        g, d -> d; h, to one score; and the frozen ζ, to c logits.
    sigma, lambda1, lambda2 : float
        σ of z, and the weights of Eq. (9).
    adversarial : bool
        Eq. (9), else Eq. (8).
    clip, learning_rate : float
        Bound on the critic's weights after each of its steps; RMSprop's rate.
    mixed : bool
        Products of the two networks in bfloat16; weights, losses, negatives and ζ stay in float32.
    fast : bool
        Take the gradients of a critic that is an `MLP` in closed form, and RMSprop's steps in one pass over
        memory; False: all gradients by autograd, as written below, with the same result.
    decode : callable, optional
        What h and ζ see of frames and negatives (Sec. 4.3: the decoded latent); default: all.
    critic_term : callable, optional
        (frames, decoded negatives, their scores h) -> what the generator descends for the critic; default
        -E h(y), as in Eqs. (8) and (9).
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        classifier: nn.Module,
        *,
        sigma: float,
        lambda1: float,
        lambda2: float,
        clip: float,
        learning_rate: float,
        adversarial: bool = True,
        mixed: bool = False,
        fast: bool = True,
        decode: Callable[[Tensor], Tensor] | None = None,
        critic_term: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        self.generator, self.critic, self.classifier = generator, critic, classifier
        self.sigma, self.lambda1, self.lambda2 = sigma, lambda1, lambda2
        self.adversarial, self.mixed = adversarial, mixed
        self.decode, self.critic_term = decode, critic_term
        self._generator_weights, self._critic_weights = (
            list(generator.parameters()),
            list(critic.parameters()),
        )
        optimiser: type[RMSprop] = FusedRMSprop if fast else RMSprop
        self.critic_optimiser = optimiser(self._critic_weights, learning_rate, clip=clip)
        self.generator_optimiser = optimiser(self._generator_weights, learning_rate)
        closed_form = decode is None and isinstance(critic, MLP)
        fused = self.critic_optimiser if closed_form else None
        self._room = fused.gradients if isinstance(fused, FusedRMSprop) else None

    def noise(self, pivots: Tensor, normal: Tensor) -> Tensor:
        """Noise x̂ = g(pivot + σ ε), ε ~ N(0, I). (..., d), (..., d) -> (..., d)"""
        return self._run(self.generator, pivots + self.sigma * normal)

    def negatives(self, frames: Tensor, noise: Tensor) -> Tensor:
        """Negatives y of Eq. (9), or of Eq. (8) where y comes from the generator alone. (..., d)"""
        return subtract(frames, noise) if self.adversarial else subtract(noise, torch.zeros_like(noise))

    def wasserstein(self, frames: Tensor, negatives: Tensor) -> Tensor:
        """Wasserstein estimate E h(x) - E h(y) of (B, d) each: W1 up to the critic's Lipschitz constant."""
        scores = self._run(self.critic, self._seen(torch.cat([frames, negatives])))
        return scores[: len(frames)].mean() - scores[len(frames) :].mean()

    def generator_loss(self, frames: Tensor, noise: Tensor, classes: Tensor) -> Tensor:
        """Terms of Eq. (8) or (9) that depend on g, which descends them. (B, d), (B, d), (B,) -> scalar"""
        seen = self._seen(self.negatives(frames, noise))
        scores = self._run(self.critic, seen)
        loss = -scores.mean() if self.critic_term is None else self.critic_term(frames, seen, scores)
        if self.adversarial:
            loss = loss + self.lambda1 * cross_entropy(-self.classifier(seen.float()), classes)
            loss = loss + self.lambda2 * noise.square().sum(-1).mean()
        return loss

    def critic_step(self, frames: Tensor, negatives: Tensor) -> None:
        """One ascent step of h on E h(x) - E h(y), its weights clipped after it. (B, d), (B, d)"""
        gradients: Sequence[Tensor]
        if self._room is not None:  # fast: what autograd finds, in closed form
            weights, room = self._critic_weights, self._room
            gradients = critic_gradients(weights, frames.float(), negatives.float(), room, mixed=self.mixed)
        else:
            with torch.enable_grad():
                loss = -self.wasserstein(frames, negatives)
            gradients = torch.autograd.grad(loss, self._critic_weights)
        self.critic_optimiser.step(gradients)

    def generator_step(self, frames: Tensor, pivots: Tensor, classes: Tensor, normal: Tensor) -> None:
        """One descent step of g; critic and ζ get no gradients. (B, d), (B, d), (B,), (B, d)"""
        with torch.enable_grad():
            loss = self.generator_loss(frames, self.noise(pivots, normal), classes)
        self.generator_optimiser.step(torch.autograd.grad(loss, self._generator_weights))

    def iterate(self, batch: Batch) -> None:
        """Take n_critic critic steps, then one generator step."""
        with torch.no_grad():  # g rests while h learns: the fakes of all critic steps in one pass
            fakes = self.negatives(batch.frames[:-1], self.noise(batch.pivots[:-1], batch.normal[:-1]))
        for frames, negatives in zip(batch.frames[:-1], fakes, strict=True):
            self.critic_step(frames, negatives)
        self.generator_step(batch.frames[-1], batch.pivots[-1], batch.classes[-1], batch.normal[-1])

    def state(self) -> dict[str, Tensor]:
        """State of the training, by name: both networks and their optimisers' squares."""
        tensors = {f"generator.{k}": t for k, t in self.generator.state_dict().items()}
        tensors |= {f"critic.{k}": t for k, t in self.critic.state_dict().items()}
        return tensors | {
            "generator_squares": self.generator_optimiser.squares,
            "critic_squares": self.critic_optimiser.squares,
        }

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Load what `state` gave, in place; other names are ignored.

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

    def _seen(self, rows: Tensor) -> Tensor:
        return rows if self.decode is None else self.decode(rows)

    def _run(self, network: nn.Module, rows: Tensor) -> Tensor:
        """A network on rows (..., d), products in bfloat16 where ``mixed``, else float32, which comes out."""
        if not self.mixed:
            return network(rows.float()).float()
        # No cache: it would keep the casts of weights that have changed since.
        with torch.autocast(rows.device.type, torch.bfloat16, cache_enabled=False):
            return network(rows.float()).float()
