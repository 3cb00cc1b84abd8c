"""The adversary of Eq. (9) on images (Sec. 4.3): a latent is a sequence of one frame.

    y = γ(x - g(z)),  z ~ N(x, σ² I),  x = encode(image)

"We combined the generated noise with the latent feature and decoded the image": critic h and classifier ζ
both see decode(y). The critic compares it with decode(x), not with the image itself: the auto-encoder's blur
is no work of the generator's, which could not mend it, and a critic that saw it would judge nothing else.

Eq. (9) asks that the negatives' scores h equal the real ones' *on average*: single images may still be far
outside what real ones get. Training is therefore finished with the critic's term taken image by image,

    E |h(decode(y)) - E h(decode(x))|    in place of    E h(decode(x)) - E h(decode(y)),

which is never smaller than the latter and equals it where all negatives score below the real mean.

Two latents that are equally far from x need not look so: a small change of one channel all over the map
decodes to stripes in step with the map's cells. What one sees is therefore held small in the finish, by

    λ3 E [ ||δ||² + 10 ||δ - blur(δ)||² ] / (number of pixel values),  δ = decode(y) - decode(x),

whose second term weighs on stripes, which a mean over 5 x 5 pixels removes, and hardly on what covers
an object.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy

from acot_core.images.networks import AutoEncoder, ImageClassifier, ImageCritic, LatentGenerator
from acot_core.images.training import autocast
from acot_core.progress import Callback, Cancelled, Clock
from acot_core.rmsprop import RMSprop
from acot_core.wgan import WGAN, Batch

__all__ = ["ImageWGAN", "train_adversary", "visibility"]


class ImageWGAN(WGAN):
    """The WGAN of `acot_core.wgan` with the decoder in the loop and convolutional generator and critic.

    Parameters
    ----------
    autoencoder, classifier : nn.Module
        Trained; both are frozen here.
    generator, critic : nn.Module
        g, d -> d, and h, on images.
    sigma, lambda1, lambda2, clip, learning_rate : float
        As in `acot_core.wgan.WGAN`.
    lambda3 : float
        Weight of the decoded noise (above).
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        classifier: ImageClassifier,
        generator: LatentGenerator,
        critic: ImageCritic,
        *,
        sigma: float,
        lambda1: float,
        lambda2: float,
        clip: float,
        learning_rate: float,
        lambda3: float = 0.0,
    ) -> None:
        self.decode = autoencoder.requires_grad_(False).eval().decode
        self.zeta = classifier.requires_grad_(False).eval()
        self.sigma, self.lambda1, self.lambda2, self.lambda3 = sigma, lambda1, lambda2, lambda3
        self.adversarial, self.clip = True, clip
        self.h, self.critic_weight, self.each_image = critic, 1.0, False
        self.generator = generator  # type: ignore[assignment]
        self._critic_weights = list(critic.parameters())
        self._generator_weights = list(generator.parameters())
        self.critic_optimiser = RMSprop(self._critic_weights, learning_rate, clip=clip)
        self.generator_optimiser = RMSprop(self._generator_weights, learning_rate)

    def critic(self, latents: Tensor) -> Tensor:  # type: ignore[override]
        """h(decode(x)) (B,) of latents (B, d)."""
        return self.h(self.decode(latents))

    def critic_gradients(self, frames: Tensor, negatives: Tensor, out: Sequence[Tensor]) -> None:
        """Gradients of E h(y) - E h(x) into ``out``; of a convolutional critic autograd finds them."""
        loss = -self.wasserstein(frames, negatives)
        for room, gradient in zip(out, torch.autograd.grad(loss, self._critic_weights), strict=True):
            room.copy_(gradient)

    def generator_loss(self, frames: Tensor, noise: Tensor, classes: Tensor) -> Tensor:
        """What g descends in Eq. (9), with one decoding for critic and classifier."""
        images = self.decode(self.negatives(frames, noise))
        scores = self.h(images)
        distance, seen = -scores.mean(), scores.new_zeros(())
        if self.each_image or self.lambda3:
            with torch.no_grad():
                reals = self.decode(frames)
                real = self.h(reals).mean()
            distance = (scores - real).abs().mean() if self.each_image else distance
            seen = self.lambda3 * visibility(images - reals)
        loss = self.critic_weight * distance + self.lambda1 * cross_entropy(-self.zeta(images), classes)
        return loss + self.lambda2 * noise.square().sum(-1).mean() + seen

    @torch.no_grad()
    def measure(self, batch: Batch) -> dict[str, float]:
        """How far the adversary has come, on one batch (B, d)."""
        noise = self.noise(batch.frames, batch.normal)
        real, fake = self.decode(batch.frames), self.decode(self.negatives(batch.frames, noise))
        confidence = self.zeta(fake).float().softmax(-1).gather(1, batch.classes[:, None])
        scores, faked = self.h(real).float(), self.h(fake).float()
        low, high = torch.quantile(scores, torch.tensor([0.05, 0.95], device=scores.device))
        fooled, accepted = confidence.squeeze(1) < 0.1, (faked >= low) & (faked <= high)
        values = {
            "fooled": fooled.float().mean(),
            "confidence": confidence.mean(),
            "accepted": accepted.float().mean(),
            "both": (fooled & accepted).float().mean(),
            "wasserstein": scores.mean() - faked.mean(),
            "noise_norm": noise.norm(dim=-1).mean(),
            "pixel_noise": (fake - real).square().mean().sqrt(),
        }
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))


def visibility(noise: Tensor) -> Tensor:
    """||δ||² + 10 ||δ - blur(δ)||² of noise δ (B, 3, H, W) in pixels, each square a mean over its entries."""
    smooth = avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    return noise.square().mean() + 10 * (noise - smooth).square().mean()


def train_adversary(
    wgan: ImageWGAN,
    latents: Tensor,
    classes: Tensor,
    *,
    held_out: tuple[Tensor, Tensor],
    n_iter: int,
    n_critic: int,
    batch_size: int,
    generator: torch.Generator,
    eval_every: int = 50,
    finish: bool = False,
    callback: Callback | None = None,
) -> pd.DataFrame:
    """Train generator and critic on latents; what was learnt stays in ``wgan``, also when cancelled.

    Parameters
    ----------
    wgan : ImageWGAN
    latents, classes : Tensor (N, d), int64 Tensor (N,)
        Training images' latents and true classes.
    held_out : tuple of Tensor
        The same for images that are not trained on; the history is measured on up to 256 of them.
    n_iter, n_critic, batch_size : int
        Generator steps, critic steps for each, latents a step.
    generator : torch.Generator
        On the latents' device.
    eval_every : int
        Iterations between two rows of the history, which are also reported to ``callback``.
    finish : bool
        The networks are trained already: the critic counts in full from the start, image by image, and of the
        last quarter's iterations in the history that one stays for which most held-out images are both fooled
        and accepted.

    Returns
    -------
    DataFrame
        iteration, fooled (share of images with less than 10 % for the true class), confidence, accepted
        (share of critic scores within the real ones' central 90 %), both (at once), wasserstein, noise_norm
        (of the latents), pixel_noise (root mean square).
    """
    device = latents.device

    def draw(n_steps: int, frames: Tensor, labels: Tensor, size: int) -> Batch:
        rows = torch.randint(len(frames), (n_steps, size), generator=generator, device=device)
        normal = torch.randn((n_steps, size, frames.shape[1]), generator=generator, device=device)
        return Batch(frames[rows], frames[rows], labels[rows], normal)

    one = draw(1, *held_out, 256)
    test = Batch(one.frames[0], one.pivots[0], one.classes[0], one.normal[0])
    rows: list[dict[str, float]] = []
    best: list[dict[str, Tensor]] = []
    clock = Clock("adversary, finished" if finish else "adversary", n_iter, callback)
    wgan.each_image = finish
    rates = {o: o.learning_rate for o in (wgan.critic_optimiser, wgan.generator_optimiser)}
    try:
        for step in range(n_iter + 1):
            if step % eval_every == 0 or step == n_iter:
                rows.append({"iteration": step} | wgan.measure(test))
                late = [row["both"] for row in rows if row["iteration"] >= 0.75 * n_iter]
                if finish and late and late[-1] >= max(late):
                    best = [copy.deepcopy(part.state_dict()) for part in (wgan.generator, wgan.h)]
                clock.report(step, **rows[-1])
            # Both rates fall to nothing, so that the game ends in its balance, not at a point of its orbit.
            for optimiser, rate in rates.items():
                optimiser.learning_rate = rate * (1 - step / max(n_iter, 1))
            # The critic's word counts from nothing to full over the first half: against a critic at full
            # weight from the start, the generator may settle for no noise at all.
            wgan.critic_weight = 1.0 if finish else min(1.0, 2 * step / max(n_iter, 1))
            if step < n_iter:
                with autocast(device):
                    wgan.iterate(draw(n_critic + 1, latents, classes, batch_size))
    except Cancelled:
        pass
    for part, state in zip((wgan.generator, wgan.h), best, strict=False):
        part.load_state_dict(state)
    return pd.DataFrame(rows)
