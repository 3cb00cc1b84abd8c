"""Experiments: a configuration in, a record out (Sec. 4). Run them from the shell by
`acot experiments`."""

from acot_core._utils.old_names import getter
from acot_core.experiments._factorial import FactorialRecord, factorial
from acot_core.experiments._protocol.evaluation import LeakError, assert_blind
from acot_core.experiments._protocol.scores import ScoreRecord
from acot_core.experiments._protocol.study import Study
from acot_core.experiments._retrieval import MEASURES, RETRIEVED, RetrievalRecord, retrieval
from acot_core.experiments.beyond.conditions import CONDITIONS, conditions
from acot_core.experiments.beyond.landscape import LandscapeRecord, landscape
from acot_core.experiments.beyond.plan_matters import PlanRecord, plan_matters
from acot_core.experiments.figure2 import SensitivityRecord, sensitivity
from acot_core.experiments.figure3 import PerturbationRecord, perturb_images
from acot_core.experiments.figure4 import EmbeddingRecord, embedding
from acot_core.experiments.figure5 import FoolingRecord, fooling_curves, fooling_record
from acot_core.experiments.methods import METHODS, TABLE1
from acot_core.experiments.presets import PRESETS
from acot_core.experiments.record import Record, TableRecord
from acot_core.experiments.table1 import AblationRecord, ablation
from acot_core.experiments.table2_3 import COMPARED, ComparisonRecord, comparison, evaluate
from acot_core.experiments.views.adversary import NegativesView, TrainingView, negatives_view, training_view
from acot_core.experiments.views.bounds import bound_study, bounds_hold
from acot_core.experiments.views.descent import (
    angle_study,
    batch_study,
    gradient_check,
)
from acot_core.experiments.views.octant import (
    OctantAlternation,
    OctantView,
    octant_alternation,
    octant_view,
)
from acot_core.experiments.views.octant_data import (
    adversarial_negatives,
    octant_sequence,
    random_octant_negatives,
    train_on_octant,
)
from acot_core.experiments.views.one_fit import ClassificationRecord, classification
from acot_core.experiments.views.one_sequence import (
    DatasetView,
    SequenceView,
    SubspaceStudy,
    TransportStudy,
    dataset_view,
    sequence_view,
    subspace_study,
    transport_study,
)
from acot_core.experiments.views.reversal import OctantClasses, octant_classes
from acot_core.experiments.views.rounds import round_study

__all__ = [
    "COMPARED",
    "CONDITIONS",
    "MEASURES",
    "METHODS",
    "PRESETS",
    "RETRIEVED",
    "TABLE1",
    "AblationRecord",
    "ClassificationRecord",
    "ComparisonRecord",
    "DatasetView",
    "EmbeddingRecord",
    "FactorialRecord",
    "FoolingRecord",
    "LandscapeRecord",
    "LeakError",
    "NegativesView",
    "OctantAlternation",
    "OctantClasses",
    "OctantView",
    "PerturbationRecord",
    "PlanRecord",
    "Record",
    "RetrievalRecord",
    "ScoreRecord",
    "SensitivityRecord",
    "SequenceView",
    "Study",
    "SubspaceStudy",
    "TableRecord",
    "TrainingView",
    "TransportStudy",
    "ablation",
    "adversarial_negatives",
    "angle_study",
    "assert_blind",
    "batch_study",
    "bound_study",
    "bounds_hold",
    "classification",
    "comparison",
    "conditions",
    "dataset_view",
    "embedding",
    "evaluate",
    "factorial",
    "fooling_curves",
    "fooling_record",
    "gradient_check",
    "landscape",
    "negatives_view",
    "octant_alternation",
    "octant_classes",
    "octant_sequence",
    "octant_view",
    "perturb_images",
    "plan_matters",
    "random_octant_negatives",
    "retrieval",
    "round_study",
    "sensitivity",
    "sequence_view",
    "subspace_study",
    "train_on_octant",
    "training_view",
    "transport_study",
]

globals()["__getattr__"] = getter(__name__)  # names of 0.1
