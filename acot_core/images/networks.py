"""The four networks of Sec. 4.3: image classifier, auto-encoder, generator on latents, critic on images.

Images are (B, 3, 32, 32) with values in [0, 1]. A latent is one frame in the sense of Sec. 3: (B, d),
non-negative by a ReLU and of unit l2 norm. The norm is taken inside the auto-encoder, so that the decoder
learns to do without it: the image's contrast then lies in the direction of the latent, Eq. (9) applies to a
latent exactly as it does to a frame of a sequence, and sigma means the same for both.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acot_core.sequences import normalize_frames

_GRID = 8
"""A latent is a map of this many rows and columns: each of its cells stands for 4 x 4 pixels."""

# In single precision, whatever torch's default is: the same weights are drawn, and images are single.
_conv = partial(nn.Conv2d, dtype=torch.float32)
_norm = partial(nn.BatchNorm2d, dtype=torch.float32)
_group_norm = partial(nn.GroupNorm, dtype=torch.float32)
_linear = partial(nn.Linear, dtype=torch.float32)


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, 3, stride, 1, bias=False), _norm(outputs), nn.ReLU())


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_block(width, width), _block(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ImageClassifier(nn.Module):
    """The pre-trained image classifier of Sec. 4.3, zeta of Eq. (9): a residual network of nine layers.

    Parameters
    ----------
    width : int
        Channels of the first layer; each of the three stages doubles them.
    n_classes : int
        Number of logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int = 24, n_classes: int = 10) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5, dtype=torch.float32))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.25, dtype=torch.float32))
        stages: list[nn.Module] = [_block(3, width)]
        for channels in (width, 2 * width, 4 * width):
            stages += [_block(channels, 2 * channels), nn.MaxPool2d(2), _Residual(2 * channels)]
        self.features = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = _linear(8 * width, n_classes)
        self.n_seen = 12 * width + n_classes

    def _normalize(self, images: Tensor) -> Tensor:
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, L) of images (B, 3, 32, 32)."""
        return self.head(self.features(self._normalize(images)))

    def look(self, images: Tensor) -> Tensor:
        """Feature maps of an image, with its class probabilities: (B, n_seen, 8, 8).

        The features of the second and third stage, the latter from their 4 x 4 map, and the class
        probabilities everywhere.
        """
        middle = self.features[:7](self._normalize(images))
        deep = self.features[7:10](middle)
        probabilities = self.head(self.features[10:](deep)).softmax(1)[:, :, None, None]
        deep = F.interpolate(deep, size=middle.shape[-2:], mode="bilinear")
        return torch.cat([middle, deep, probabilities.expand(-1, -1, *middle.shape[-2:])], 1)


class AutoEncoder(nn.Module):
    """The auto-encoder of Sec. 4.3, whose latent is the feature.

    Parameters
    ----------
    channels : int
        Channels of the 8 x 8 latent map: d = 64 * channels.
    width : int
        Channels of the first layer.
    """

    def __init__(self, channels: int = 16, width: int = 32) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = nn.Sequential(
            _block(3, width),
            _block(width, 2 * width, 2),
            _Residual(2 * width),
            _block(2 * width, 4 * width, 2),
            _Residual(4 * width),
            _conv(4 * width, channels, 3, 1, 1),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            _block(channels, 4 * width),
            _Residual(4 * width),
            _conv(4 * width, 8 * width, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            _Residual(2 * width),
            _conv(2 * width, 4 * width, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            _conv(width, 3, 3, 1, 1),
        )

    @property
    def n_features(self) -> int:
        """The latent's dimension d."""
        return self.channels * _GRID * _GRID

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, d), non-negative and of unit norm, of images (B, 3, 32, 32)."""
        x = (images - 0.5).contiguous(memory_format=torch.channels_last)
        return normalize_frames(self.encoder(x).flatten(1).float())

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, 32, 32) of latents (B, d)."""
        # Entries of about unit size for the network, whatever d is.
        grid = (latents * self.n_features**0.5).unflatten(1, (self.channels, _GRID, _GRID))
        return torch.sigmoid(self.decoder(grid.contiguous(memory_format=torch.channels_last)).float())

    def forward(self, images: Tensor) -> Tensor:
        """Reconstructions (B, 3, 32, 32)."""
        return self.decode(self.encode(images))


class _NormalizedResidual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [_group_norm(8, width), nn.ReLU(), _conv(width, width, 3, 1, 1)]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class LatentGenerator(nn.Module):
    """The generator g of Eq. (9) on latents: noise x_hat from z, a convolutional network over the 8 x 8 map.

    To hide what makes an image a cat, g has to see that it is one. It is therefore given z in two forms: as
    it is, and as what the frozen classifier makes of decode(z), its features and probabilities; both are
    functions of z alone. A generator that reads z only learns, in any time we could give it, one noise for
    all images, with which the classifier calls four images of five the same.

    Parameters
    ----------
    autoencoder, classifier : nn.Module
        Trained and frozen; they are no part of the generator's own weights.
    width : int
        Channels; a multiple of 8.
    """

    def __init__(self, autoencoder: AutoEncoder, classifier: ImageClassifier, width: int = 48) -> None:
        super().__init__()
        self._seen = (autoencoder, classifier)  # in a tuple, so that torch does not count their weights in
        channels = autoencoder.channels
        self.body = nn.Sequential(
            _conv(channels + classifier.n_seen, width, 1),
            _NormalizedResidual(width),
            _NormalizedResidual(width),
            _group_norm(8, width),
            nn.ReLU(),
            _conv(width, channels, 3, 1, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Noise x_hat (..., d) of z (..., d)."""
        autoencoder, classifier = self._seen
        root = autoencoder.n_features**0.5
        rows = z.reshape(-1, z.shape[-1])
        with torch.no_grad():
            seen = classifier.look(autoencoder.decode(rows))
        grid = (rows * root).unflatten(1, (autoencoder.channels, _GRID, _GRID))
        noise = self.body(torch.cat([grid, seen], 1)).float()
        return 0.3 / root * noise.reshape(z.shape)


class ImageCritic(nn.Module):
    """The critic h of Eq. (9), on decoded images: one score (B,), higher for what it takes for real.

    Without batch normalisation, which would let one image's score depend on the others'.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [_conv(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), _linear(4 * width * 16, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B,) of images (B, 3, 32, 32)."""
        return self.body(images - 0.5).squeeze(1)
