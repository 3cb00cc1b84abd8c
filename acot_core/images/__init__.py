"""The image side of Sec. 4.3: auto-encoder, classifier and the adversary on latents (Figure 3)."""

from acot_core.images.model import ImageModel, ImageSettings, Perturbations, load_image_model
from acot_core.images.recipe import SETTINGS, train_image_model

__all__ = [
    "SETTINGS",
    "ImageModel",
    "ImageSettings",
    "Perturbations",
    "load_image_model",
    "train_image_model",
]
