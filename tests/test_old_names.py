"""Modules and names of 0.1: each leads to the present object, and says where that is."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest

from acot_core._utils.old_names import MOVED

# `__all__` of 0.1's modules (commit 0821151) that are elsewhere now; of the others, the names that are.
OLD = """
acot_core.adversary Adversary
acot_core.adversary_checks KIND check_parameters check_resumable read_adversary
acot_core.adversary_data FrameTable frame_table
acot_core.adversary_training HISTORY_COLUMNS TrainingState fixed_batch has_native_bfloat16 measure train
  uses_bfloat16
acot_core.alternation Alternation alternate
acot_core.baselines.base SequencePooling SubspacePooling
acot_core.baselines.ranking RankPooling
acot_core.baselines.subspaces GRP PCASubspace ordered_subspace
acot_core.checkpoints read_checkpoint write_checkpoint
acot_core.couplings GroundCost TransportPlan check_problem cost_matrix identity random_coupling uniform
acot_core.cuda_graph GraphedIteration fastest_iteration
acot_core.datasets.planted planted stratified_mask
acot_core.datasets.storage read_folder
acot_core.entropic ipot sinkhorn
acot_core.experiments AngleStudy BatchStudy BoundStudy ClipView GradientCheck RoundStudy clip_view
acot_core.experiments.ablation AblationRecord ablation make_plan
acot_core.experiments.bounds BoundStudy bound_study
acot_core.experiments.cells classifier_key fuse_cell fusion_key score_cell train_cell
acot_core.experiments.classification BESIDE ClassificationRecord classification
acot_core.experiments.comparison COMPARED ComparisonRecord comparison evaluate
acot_core.experiments.conditions CONDITIONS conditions
acot_core.experiments.descent_checks AngleStudy BatchStudy GradientCheck angle_study batch_study
  gradient_check subspace_problems
acot_core.experiments.embedding PANELS EmbeddingRecord embedding neighbour_purity
acot_core.experiments.fooling CLOSE FAITHFUL FASTER STRONG SURE FoolingRecord fooling_cell fooling_curves
  fooling_record
acot_core.experiments.fusion Judged fuse
acot_core.experiments.kept_negatives KeptNegatives content
acot_core.experiments.landscape LandscapeRecord landscape
acot_core.experiments.memory remember
acot_core.experiments.one_clip ClipView DatasetView SubspaceStudy TransportStudy clip_view dataset_view
  subspace_study transport_study
acot_core.experiments.parts Part Source fold_indices forget keep_adversary load_part share_adversary
acot_core.experiments.perturb PerturbationRecord perturb_images
acot_core.experiments.plan CLASSIFIERS Entry Plan Score
acot_core.experiments.plan_matters PLANS PlanRecord plan_matters
acot_core.experiments.protocol CLASSIFIERS Entry LeakError Plan Score assert_blind judge
acot_core.experiments.reference TABLE1_PAPER TABLE2_PAPER TABLE3_PAPER paper_table1
acot_core.experiments.rounds RoundStudy round_study
acot_core.experiments.scores ScoreRecord collect confidence plan_config
acot_core.experiments.sensitivity FIGURE2 SensitivityRecord sensitivity
acot_core.experiments.sweep Cell digest run_cells
acot_core.experiments.training NegativesView TrainingView negatives_view training_view
acot_core.figures plot_clip
acot_core.figures.clips plot_clip plot_dataset
acot_core.figures.perturb COLUMNS plot_overlap plot_perturbations
acot_core.files atomic_write
acot_core.frame_classifier accuracy fooling_rate linear misclassification_rate train_frame_classifier
acot_core.grassmann distance orthonormalize principal_angles principal_subspace project projection_kernel
  random_point retract_polar retract_qr top_eigenvectors
acot_core.images.training recalibrate
acot_core.line_search SUFFICIENT_DECREASE backtracking curve
acot_core.memory batch_bytes block_bytes blocks
acot_core.negatives cycle_frames draw_pairs number_of_negatives random_negatives subtract
acot_core.objective KINK_BAND ACOTObjective barycentric_images
acot_core.parameters PARAMETERS Parameter
acot_core.progress Callback Cancelled Clock Progress
acot_core.quality Quality condition_test equal_norm_noise knowable_rate measure_quality
acot_core.records Record environment read_archive
acot_core.reduced FrameProducts ReducedObjective frame_products
acot_core.reference pymanopt_conjugate_gradient
acot_core.response_line Line make_line
acot_core.riemannian RCGResult
acot_core.rmsprop RMSprop
acot_core.robust RobustDistances decomposition projection_robust robust_distances subspace_robust
  variational_term
acot_core.simplex exact_plans
acot_core.subspace_problem FunctionObjective Objective RCGResult
acot_core.subspaces Coordinates SubspaceSolver solve_subspaces
acot_core.threads one_thread side_by_side
acot_core.transport TransportPlan
acot_core.two_sample classifier_test energy_distance nearest_distance nearest_neighbour_test
acot_core.wgan WGAN Batch mlp
"""
NAMES = {names.split()[0]: names.split()[1:] for names in re.split(r"\n(?=a)", OLD.strip())}
# Parts of the inside that were merged or deleted (HOUSE.md): nothing is left that does the same.
DELETED = {
    "acot_core.adversary_checks": {"KIND"},
    "acot_core.couplings": {"check_problem"},
    "acot_core.cuda_graph": {"GraphedIteration", "fastest_iteration"},
    "acot_core.experiments.ablation": {"make_plan"},
    "acot_core.experiments.memory": {"remember"},
    "acot_core.experiments.scores": {"plan_config"},
    "acot_core.images.training": {"recalibrate"},
    "acot_core.negatives": {"cycle_frames", "draw_pairs"},
    "acot_core.simplex": {"exact_plans"},
}


@pytest.mark.parametrize("module", NAMES)
def test_each_old_name_leads_to_the_present_object(module: str) -> None:
    for name in set(NAMES[module]) - DELETED.get(module, set()):
        with pytest.warns(DeprecationWarning, match=f"{module}.{name} is acot_core") as caught:
            value = getattr(import_module(module), name)
        home, _, present = str(caught[0].message).split()[2].rpartition(".")
        assert caught[0].filename == __file__
        assert value is vars(import_module(home))[present]
    for name in DELETED.get(module, ()):
        with pytest.raises((ImportError, AttributeError), match=f"{name}|{module}"):
            getattr(import_module(module), name)


def test_the_table_names_what_is_elsewhere_and_nothing_else() -> None:
    gone = {
        "acot_core.cuda_graph",
        "acot_core.experiments.memory",
        "acot_core.images.training",
        "acot_core.simplex",
    }
    assert {f"acot_core.{name}" for name in MOVED} == set(NAMES) - gone
    assert all(find_spec(f"acot_core.{home}") for homes in MOVED.values() for home in homes.split())


def test_imports_in_the_old_way_leave_the_functions_of_the_packages() -> None:
    code = (
        "import acot_core.datasets, acot_core.experiments as experiments\n"
        "before = acot_core.datasets.planted, experiments.ablation\n"
        "from acot_core.datasets.planted import planted\n"
        "from acot_core.experiments.ablation import ablation\n"
        "from acot_core.robust import *\n"
        "import acot_core.grassmann as g\n"
        "assert (acot_core.datasets.planted, experiments.ablation) == before == (planted, ablation)\n"
        "assert subspace_robust is acot_core.subspace.theorem1.subspace_robust\n"
        "assert g.distance is acot_core.riemannian.grassmann.distance and not hasattr(g, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_old_names_are_loaded_when_one_is_asked_for_and_not_before() -> None:
    code = "import sys, acot_core, acot_core.sequences; sys.exit('acot_core._utils.old_names' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ModuleNotFoundError, match=r"acot_core\.nothing"):
            import_module("acot_core.nothing")


def test_the_old_command_is_the_present_one() -> None:
    command = [sys.executable, "-m", "acot_core.experiments", "table1", "--dataset", "absent.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("acot experiments: 'absent.npz': ")
