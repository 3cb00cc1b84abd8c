"""The adversary of Eq. (9) on images (Sec. 4.3): a latent is a sequence of one frame.

    y = γ(x - g(z)),  z ~ N(x, σ² I),  x = encode(image)

"We combined the generated noise with the latent feature and decoded the image": critic h and classifier ζ
both see decode(y). The critic compares it with decode(x), not with the image itself: the auto-encoder's blur
is no work of the generator's, which could not undo it, and a critic that saw it would look at nothing else.

Eq. (9) asks that the negatives' scores h equal the real ones' *on average*: single images may still be far
outside what real ones get. Training is therefore finished with the critic's term taken image by image,

    E |h(decode(y)) - E h(decode(x))|    in place of    E h(decode(x)) - E h(decode(y)),

which is never smaller than the latter and equals it where all negatives score below the real mean.

Two latents that are equally far from x need not look so: a small change of one channel all over the map
decodes to stripes in step with the map's cells. What one sees is therefore held small in the finish, by

    λ3 E [ ||δ||² + 10 ||δ - blur(δ)||² ] / (number of pixel values),  δ = decode(y) - decode(x),

whose second term penalises stripes, which a mean over 5 x 5 pixels removes, and hardly what covers an
object.
"""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from acot_core._utils.progress import Callback, Cancelled, Clock
from acot_core.gan.wgan import WGAN, Batch
from acot_core.images.networks import AutoEncoder, ImageClassifier, ImageCritic, LatentGenerator
from acot_core.images.training import autocast


class ImageWGAN:
    """The WGAN of `acot_core.gan.wgan` with the decoder in the loop and the critic's term for images.

    Parameters
    ----------
    autoencoder, classifier : nn.Module
        Trained; both are frozen here.
    generator, critic : nn.Module
        g, d -> d, and h, on images.
    lambda3 : float
        Weight of the decoded noise (above).
    **settings
        sigma, lambda1, lambda2, clip and learning_rate of `acot_core.gan.wgan.WGAN`.

    Attributes
    ----------
    wgan : WGAN
        Networks, optimisers and training steps.
    critic_weight : float
        Of the critic's term in the generator's loss.
    each_image : bool
        Whether that term is taken image by image.
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        classifier: ImageClassifier,
        generator: LatentGenerator,
        critic: ImageCritic,
        *,
        lambda3: float = 0.0,
        **settings: Any,
    ) -> None:
        decode = autoencoder.requires_grad_(False).eval().decode
        zeta = classifier.requires_grad_(False).eval()
        self.lambda3, self.critic_weight, self.each_image = lambda3, 1.0, False
        self.decode = decode
        self.wgan = WGAN(generator, critic, zeta, decode=decode, critic_term=self._critic_term, **settings)

    def _critic_term(self, latents: Tensor, images: Tensor, scores: Tensor) -> Tensor:
        """Critic's term of the generator's loss, plus the weighted visibility of the decoded noise."""
        if not (self.each_image or self.lambda3):
            return -self.critic_weight * scores.mean()
        with torch.no_grad():
            reals = self.decode(latents)
            real = self.wgan.critic(reals).mean()
        distance = (scores - real).abs().mean() if self.each_image else -scores.mean()
        return self.critic_weight * distance + self.lambda3 * visibility(images - reals)

    @torch.no_grad()
    def measure(self, batch: Batch) -> dict[str, float]:
        """Evaluate one row of the history on a batch (B, d)."""
        wgan = self.wgan
        noise = wgan.noise(batch.frames, batch.normal)
        real, fake = self.decode(batch.frames), self.decode(wgan.negatives(batch.frames, noise))
        confidence = wgan.classifier(fake).float().softmax(-1).gather(1, batch.classes[:, None])
        scores, faked = wgan.critic(real).float(), wgan.critic(fake).float()
        low, high = torch.quantile(
            scores, torch.tensor([0.05, 0.95], device=scores.device, dtype=torch.float32)
        )
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
    """Visibility ||δ||² + 10 ||δ - blur(δ)||² of noise δ (B, 3, H, W) in pixels; squares are means."""
    smooth = avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    return noise.square().mean() + 10 * (noise - smooth).square().mean()


@torch.enable_grad()
def train_adversary(
    adversary: ImageWGAN,
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
    """Train generator and critic on latents; what was learned stays in ``adversary``, also when cancelled.

    Parameters
    ----------
    adversary : ImageWGAN
    latents, classes : Tensor (N, d), int64 Tensor (N,)
        Training images' latents and true classes.
    held_out : tuple of Tensor
        The same for images that are not trained on; the history is measured on up to 256 of them.
    n_iter, n_critic, batch_size : int
        Generator steps, critic steps per generator step, latents per step.
    generator : torch.Generator
        On the latents' device.
    eval_every : int
        Iterations between two rows of the history, which are also reported to ``callback``.
    finish : bool
        The networks are trained already: no warm-up, the critic's term image by image, and early stopping: of
        the history's rows in the last quarter, the one at which most held-out images are both fooled and
        accepted gives the networks.

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
        normal = torch.randn(
            (n_steps, size, frames.shape[1]), generator=generator, device=device, dtype=torch.float32
        )
        return Batch(frames[rows], frames[rows], labels[rows], normal)

    one = draw(1, *held_out, 256)
    test = Batch(one.frames[0], one.pivots[0], one.classes[0], one.normal[0])
    rows: list[dict[str, float]] = []
    best: list[dict[str, Tensor]] = []
    clock = Clock("adversary, finished" if finish else "adversary", n_iter, callback)
    adversary.each_image, wgan = finish, adversary.wgan
    rates = {o: o.learning_rate for o in (wgan.critic_optimiser, wgan.generator_optimiser)}
    try:
        for step in range(n_iter + 1):
            if step % eval_every == 0 or step == n_iter:
                rows.append({"iteration": step} | adversary.measure(test))
                late = [row["both"] for row in rows if row["iteration"] >= 0.75 * n_iter]
                if finish and late and late[-1] >= max(late):
                    best = [copy.deepcopy(network.state_dict()) for network in (wgan.generator, wgan.critic)]
                clock.report(step, **rows[-1])
            # Both rates decay to 0, so that the game ends in its balance, not at a point of its orbit.
            for optimiser, rate in rates.items():
                optimiser.learning_rate = rate * (1 - step / max(n_iter, 1))
            # Warm up the critic's weight over the first half: against a critic at full weight from the start,
            # the generator may settle for no noise at all.
            adversary.critic_weight = 1.0 if finish else min(1.0, 2 * step / max(n_iter, 1))
            if step < n_iter:
                with autocast(device):
                    wgan.iterate(draw(n_critic + 1, latents, classes, batch_size))
    except Cancelled:
        pass
    for network, state in zip((wgan.generator, wgan.critic), best, strict=False):
        network.load_state_dict(state)
    return pd.DataFrame(rows)
