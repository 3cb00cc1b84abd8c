"""Experiments: a configuration in, a record out (Sec. 4). Run them from the shell by
``python -m acot_core.experiments``."""

from acot_core.experiments.ablation import AblationRecord, ablation
from acot_core.experiments.bounds import BoundStudy, bound_study
from acot_core.experiments.classification import ClassificationRecord, classification
from acot_core.experiments.comparison import COMPARED, ComparisonRecord, comparison, evaluate
from acot_core.experiments.conditions import CONDITIONS, conditions
from acot_core.experiments.descent_checks import (
    AngleStudy,
    BatchStudy,
    GradientCheck,
    angle_study,
    batch_study,
    gradient_check,
)
from acot_core.experiments.embedding import EmbeddingRecord, embedding
from acot_core.experiments.fooling import FoolingRecord, fooling_curves, fooling_record
from acot_core.experiments.landscape import LandscapeRecord, landscape
from acot_core.experiments.methods import METHODS, TABLE1
from acot_core.experiments.one_clip import (
    ClipView,
    DatasetView,
    SubspaceStudy,
    TransportStudy,
    clip_view,
    dataset_view,
    subspace_study,
    transport_study,
)
from acot_core.experiments.perturb import PerturbationRecord, perturb_images
from acot_core.experiments.plan_matters import PlanRecord, plan_matters
from acot_core.experiments.protocol import LeakError, assert_blind
from acot_core.experiments.rounds import RoundStudy, round_study
from acot_core.experiments.scores import ScoreRecord
from acot_core.experiments.sensitivity import SensitivityRecord, sensitivity
from acot_core.experiments.training import NegativesView, TrainingView, negatives_view, training_view

__all__ = [
    "COMPARED",
    "CONDITIONS",
    "METHODS",
    "TABLE1",
    "AblationRecord",
    "AngleStudy",
    "BatchStudy",
    "BoundStudy",
    "ClassificationRecord",
    "ClipView",
    "ComparisonRecord",
    "DatasetView",
    "EmbeddingRecord",
    "FoolingRecord",
    "GradientCheck",
    "LandscapeRecord",
    "LeakError",
    "NegativesView",
    "PerturbationRecord",
    "PlanRecord",
    "RoundStudy",
    "ScoreRecord",
    "SensitivityRecord",
    "SubspaceStudy",
    "TrainingView",
    "TransportStudy",
    "ablation",
    "angle_study",
    "assert_blind",
    "batch_study",
    "bound_study",
    "classification",
    "clip_view",
    "comparison",
    "conditions",
    "dataset_view",
    "embedding",
    "evaluate",
    "fooling_curves",
    "fooling_record",
    "gradient_check",
    "landscape",
    "negatives_view",
    "perturb_images",
    "plan_matters",
    "round_study",
    "sensitivity",
    "subspace_study",
    "training_view",
    "transport_study",
]
