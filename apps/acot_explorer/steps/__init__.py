"""The steps of the page, one module each, in the order of the method."""

from acot_explorer.steps.adversary import AdversaryStep
from acot_explorer.steps.base import Step
from acot_explorer.steps.classification import ClassificationStep
from acot_explorer.steps.data import DataStep
from acot_explorer.steps.embedding import EmbeddingStep
from acot_explorer.steps.images import ImagesStep
from acot_explorer.steps.play import PlayStep
from acot_explorer.steps.results import ResultsStep
from acot_explorer.steps.sensitivity import SensitivityStep
from acot_explorer.steps.subspace import SubspaceStep
from acot_explorer.steps.transport import TransportStep

__all__ = ["ALL_STEPS"]

ALL_STEPS: tuple[type[Step], ...] = (
    PlayStep,
    DataStep,
    AdversaryStep,
    TransportStep,
    SubspaceStep,
    ClassificationStep,
    SensitivityStep,
    EmbeddingStep,
    ImagesStep,
    ResultsStep,
)
