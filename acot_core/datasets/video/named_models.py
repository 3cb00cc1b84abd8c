"""Video and image models of torchvision and transformers by name, where these are installed.

Weights come from where those libraries keep or fetch them. The features are what enters the last linear layer
(torchvision), or the pooled output, else the mean of the last hidden state (transformers).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from acot_core.datasets.video.encoders import TorchEncoder

_CLIP = 8  # frames, as the paper's; of image models 1


def named_encoder(
    name: str, *, stride: int = 1, pretrained: bool = True, device: str = "cpu"
) -> TorchEncoder:
    """Make an encoder of a model's name.

    Parameters
    ----------
    name : str
        "torchvision:<model>" (an image model, or a video model such as r3d_18, which gets clips of 8 frames)
        or "transformers:<model>" (an image model such as a ViT, or a video model such as VideoMAE, which gets
        clips of as many frames as it was made for). A model of transformers may be a folder.
    stride : int
        Frames from the start of a clip to the start of the next.
    pretrained : bool
        Whether the weights are to be loaded; else they are random.
    device : str
        Where it runs.

    Raises
    ------
    ImportError
        The library is not installed.
    ValueError
        It knows no such model, or cannot get its weights.
    """
    library, colon, model = name.partition(":")
    if not colon or library not in ("torchvision", "transformers") or not model:
        raise ValueError(f"model: expected torchvision:<model> or transformers:<model>, got {name!r}")
    make = _torchvision if library == "torchvision" else _transformers
    try:
        return make(model, stride, pretrained, device)
    except ImportError as error:
        raise ImportError(f"{name}: needs {library}: pip install {library}") from error
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: cannot be had from {library} ({str(error)[:300]})") from error


def _torchvision(model: str, stride: int, pretrained: bool, device: str) -> TorchEncoder:
    from torchvision import models

    builder = models.get_model_builder(model)
    weights = models.get_model_weights(builder).DEFAULT
    module = builder(weights=weights if pretrained else None)
    _drop_last_linear(module)
    transform = weights.transforms()
    crop = getattr(transform, "crop_size", [224])
    height, width = (crop[0], crop[-1]) if isinstance(crop, list | tuple) else (crop, crop)
    video = "video" in builder.__module__
    return TorchEncoder(
        module,
        (int(width), int(height)),
        n_frames=_CLIP if video else 1,
        stride=stride,
        mean=[255 * m for m in transform.mean],
        std=[255 * s for s in transform.std],
        device=device,
        identity=f"torchvision {model} {weights if pretrained else 'random'}",
    )


def _drop_last_linear(module: nn.Module) -> None:
    """Replace the classifier, the last linear layer, by nothing."""
    linear = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise ValueError("the model ends in no linear layer")
    parent, _, child = linear[-1].rpartition(".")
    setattr(module.get_submodule(parent), child, nn.Identity())


def _transformers(model: str, stride: int, pretrained: bool, device: str) -> TorchEncoder:
    from transformers import AutoConfig, AutoModel
    from transformers.image_processing_base import ImageProcessingMixin

    config: Any = AutoConfig.from_pretrained(model)
    module = AutoModel.from_pretrained(model) if pretrained else AutoModel.from_config(config)
    if hasattr(module, "vision_model"):  # CLIP and its kind: the half that sees
        module, config = module.vision_model, config.vision_config
    try:
        pictures, _ = ImageProcessingMixin.get_image_processor_dict(model)
    except OSError:  # the model came without; ImageNet's values are the usual ones
        pictures = {}
    side = getattr(config, "image_size", 224)
    height, width = side if isinstance(side, list | tuple) else (side, side)
    n_frames = int(getattr(config, "num_frames", 1) or 1)
    return TorchEncoder(
        _Pooled(module),
        (int(width), int(height)),
        n_frames=n_frames,
        stride=stride,
        mean=[255 * m for m in pictures.get("image_mean", (0.485, 0.456, 0.406))],
        std=[255 * s for s in pictures.get("image_std", (0.229, 0.224, 0.225))],
        layout="NTCHW" if n_frames > 1 else "NCHW",
        device=device,
    )


class _Pooled(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor) -> Tensor:
        out = self.module(pixel_values=pixels)
        pooled = getattr(out, "pooler_output", None)
        features: Tensor = pooled if pooled is not None else out.last_hidden_state.mean(1)
        return features.flatten(1)
