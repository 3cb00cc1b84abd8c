"""The step Adversary: learning noise that hides the class (Sec. 3.2-3.3, Eqs. 8-9; App. B.2, Fig. 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import panel_material_ui as pmui

from acot_core.experiments.views.adversary import NegativesView, TrainingView, negatives_view, training_view
from acot_core.figures.training import plot_negatives, plot_training
from acot_core.gan.adversary import Adversary
from acot_explorer.cache_keys import AdversaryRequest, DataRequest, SequenceRequest
from acot_explorer.equations import Term
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.host import Host
from acot_explorer.jobs import Job
from acot_explorer.living import charts
from acot_explorer.living.bars import Taken
from acot_explorer.people import PERSON, PersonRequest, person_slot
from acot_explorer.render import FigureSpec, record
from acot_explorer.sequences import frames_of
from acot_explorer.session import Key
from acot_explorer.snippets import adversary_lines, load_lines
from acot_explorer.steps.base import NotReady, Step
from acot_explorer.store import adversaries, growing, load_dataset

__all__ = ["AdversaryStep"]

_STRIDE = 20  # iterations of one press of "Step": one evaluation of the history


@dataclass(frozen=True)
class _Request:
    """An adversary and its iterations; ``live`` counts the rows of a history that still grows."""

    sequence: SequenceRequest
    planned: int
    live: int = -1

    @property
    def adversary(self) -> Adversary:
        assert self.sequence.adversary is not None
        request, n_iter = self.sequence.adversary
        live = growing().get(request) if self.live >= 0 else None
        return live or adversaries().get(request, n_iter)


def _training(request: _Request) -> TrainingView:
    view = training_view(request.adversary)
    view.n_iter = request.planned
    return view


def _negatives(request: _Request) -> NegativesView:
    at = request.sequence
    label = load_dataset(at.data).labels[at.index]
    return negatives_view(request.adversary, frames_of(at), int(label), at.n_negatives, at.seed)


def _describe_training(view: TrainingView) -> str:
    if not len(view.history):
        return "Training has begun"
    step = int(view.history["iteration"].iloc[-1])
    return f"Fooling rate {view.last('fooling_rate'):.0%} after {step} of {view.n_iter} iterations"


def _describe_negatives(view: NegativesView) -> str:
    return (
        f"Mean frame, noise and negative of this sequence: the classifier is right on {view.correct:.0%} of "
        f"its frames and fooled by {view.fooled:.0%} of the negatives"
    )


TRAINING = FigureSpec("training", _training, plot_training, _describe_training, wide=True)
NEGATIVES = FigureSpec("negatives", _negatives, plot_negatives, _describe_negatives, wide=True)


class AdversaryStep(Step):
    """Train, pause, step, stop, resume; curves while it happens."""

    name = "adversary"
    question = "What noise makes a frame lose its class?"
    method = (
        "A generator g learns noise x̂ which, taken from a frame, leaves a negative y that a critic h "
        "cannot tell "
        "from real frames (Wasserstein GAN) and for which a fixed classifier ζ ranks the right class last."
    )
    equation = (
        Term(r"\min_g\max_h\ \mathbb{E}\,h(x)-\mathbb{E}\,h(y)", "The critic tells frames from negatives", "",
             "positives"),
        Term(r"+\lambda_1\,\mathrm{CE}(-\zeta(y),\ell)", "Fooling: the true class shall rank last", "lambda1",
             "negatives"),
        Term(r"+\lambda_2\,\mathbb{E}\|\hat{x}\|^2", "The cost of the noise", "lambda2", "noise"),
        Term(r",\ y=\mathrm{ReLU}(x-\hat{x})/\|\cdot\|,\ \hat{x}=g(z),"),
        Term(r"\ z\sim\mathcal{N}(\bar{X},\sigma^2 I)", "What the noise is made of", "sigma", "noise"),
    )  # fmt: skip
    inputs = ("dataset", "stream", "encoder", "seed", "sequence", "sigma", "lambda1", "lambda2", "pivot",
              "adversarial", "n_iter", "n_negatives")  # fmt: skip
    shown = ("sigma", "lambda1", "lambda2", "pivot", "adversarial", "n_iter", "sequence")
    figures = (
        FigureSlot(TRAINING, "Training", lambda host: charts.training()),
        FigureSlot(NEGATIVES, "What the noise takes", lambda host: Taken(), basis="2 1 440px"),
        person_slot("What the negatives look like"),
    )

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.job: Job | None = None
        self._stopped: set[AdversaryRequest] = set()
        # Disabled until the data are there: a press before that would come to nothing.
        small: dict[str, Any] = {"size": "small", "margin": (2, 1), "disabled": True}
        self.train = pmui.Button(label="Train", icon="play_arrow", color="primary", **small)
        self.pause = pmui.Button(label="Pause", icon="pause", variant="outlined", **small)
        self.step = pmui.Button(
            label="Step",
            icon="skip_next",
            variant="outlined",
            description=f"Step: {_STRIDE} iterations",
            **small,
        )
        self.stop = pmui.Button(
            label="Stop",
            icon="stop",
            variant="outlined",
            description="Stop: what was trained is shown; the next training begins anew",
            **small,
        )
        self.train.on_click(lambda _: self.begin())
        self.pause.on_click(lambda _: self.end(stop=False))
        self.step.on_click(lambda _: self.begin(step=True))
        self.stop.on_click(lambda _: self.end(stop=True))

    def controls(self) -> list[Any]:
        """Sliders, then the buttons of the training."""
        buttons = pmui.FlexBox(self.train, self.pause, self.step, self.stop, gap="2px", margin=(0, 0, 6, 6))
        return [buttons, *super().controls()]

    # ------------------------------------------------------------ training

    @property
    def busy(self) -> bool:
        """Whether the adversary that the settings describe is being trained for this session."""
        self.job = self.host.session.training(AdversaryRequest.of(self.settings))
        return self.job is not None

    def begin(self, *, step: bool = False) -> None:
        """Train from the start, or go on from where it was paused; or take a single step."""
        try:
            self._need_classes()
        except NotReady:
            return  # the figure's place says why
        request, n_iter = AdversaryRequest.of(self.settings), self.settings.n_iter
        if self.busy or adversaries().has(request, n_iter):
            return
        if request in self._stopped:
            adversaries().restart(request)
        self._stopped.discard(request)
        adversaries().by_hand.drop(request)
        if step:
            adversaries().by_hand.put(request, True)
        done = adversaries().begun(request, n_iter)
        self.job = self.host.session.train(request, min(done + _STRIDE, n_iter) if step else n_iter)
        self.refresh_buttons()

    def end(self, *, stop: bool) -> None:
        """Pause (to be resumed) or stop (to begin anew next time); what was trained is shown either way."""
        request = AdversaryRequest.of(self.settings)
        adversaries().by_hand.put(request, True)
        if stop:
            self._stopped.add(request)
        if self.busy and self.job is not None:
            self.host.session.release(self.job)
        self.refresh_buttons()
        self.host.refresh()

    def _need_classes(self) -> None:
        self.host.session.need_classes("there is no class for an adversary to hide")

    def refresh_buttons(self) -> None:
        """Enable what makes sense now, and say so in words."""
        request, n_iter = AdversaryRequest.of(self.settings), self.settings.n_iter
        busy, done = self.busy, adversaries().begun(request, n_iter)
        label = "Train"
        if done and request not in self._stopped:
            label = "Trained" if done == n_iter else f"Resume from {done}"
        self.train.param.update(label=label, disabled=busy or done == n_iter)
        self.pause.disabled = not busy
        self.step.disabled = busy or done == n_iter
        self.stop.disabled = not (busy or label.startswith("Resume"))

    def work_key(self) -> Key:
        """The training of this adversary."""
        return ("adversary", AdversaryRequest.of(self.settings))

    def poll(self) -> None:
        """Redraw the curves while they grow."""
        if not self.host.drawing:  # a curve that takes longer than a poll is shown all the same
            self.host.refresh(awaited=False)

    # ------------------------------------------------------------ figures

    def request(self) -> _Request:
        """The adversary as far as it is trained."""
        try:
            self._need_classes()
        except NotReady:
            for button in (self.train, self.pause, self.step, self.stop):
                button.disabled = True
            raise
        settings = self.settings
        request = AdversaryRequest.of(settings)
        done = adversaries().begun(request, settings.n_iter)
        failure = self.host.session.failed(("adversary", request))
        if done < settings.n_iter and not (self.busy or failure or adversaries().by_hand.get(request)):
            self.begin()
        self.refresh_buttons()
        at = SequenceRequest(
            DataRequest.of(settings),
            settings.stream,
            settings.sequence,
            None,
            settings.n_negatives,
            settings.seed,
        )
        live = growing().get(request)
        rows = 0 if live is None else len(live.history_)
        if self.busy and rows:
            assert live is not None
            return _Request(replace(at, adversary=(request, live.n_iter_)), settings.n_iter, rows)
        if done:
            return _Request(replace(at, adversary=(request, done)), settings.n_iter)
        if failure is not None:
            raise NotReady(f"The training did not work.\n{failure}\nPress Train to try again.")
        if self.job is None:
            raise NotReady("No adversary with these settings yet.\nPress Train: it takes some seconds.")
        if self.job.state == "queued":
            raise NotReady("Other work is under way.\nThis training begins when its turn has come.")
        raise NotReady("The frame classifier is being trained first …")

    def notice(self) -> str:
        """Remarks on the curves and the negative."""
        return (
            "The fooling rate climbs from nothing; the noise need not be large for that. It asks that ζ rank "
            "the true class last of all, so it stays below the rate of misclassification. Below, see where "
            "the noise strikes: the negative loses the features that carry the class. Then try σ = 0.5, or "
            "λ₁ = 0."
        )

    def request_of(self, panel: Any, request: _Request) -> _Request | PersonRequest:
        """The negatives wait until training has ended."""
        if panel.spec is not TRAINING and request.live >= 0:
            raise NotReady("Shown when the training ends or is paused.")
        return PersonRequest(request.sequence, "emd") if panel.spec is PERSON else request

    def remark(self, request: _Request) -> str:
        """The newest row of the history."""
        history = request.adversary.history_
        if not len(history):
            return ""
        last = history[history["split"] == "train"].iloc[-1]
        held_out = history[history["split"] == "held_out"]
        text = (
            f"After {int(last['iteration'])} iterations ζ is fooled on **{last['fooling_rate']:.0%}** of all "
            "training frames"
        )
        if len(held_out):
            text += f", {held_out['fooling_rate'].iloc[-1]:.0%} of those held out"
        text += (
            f" (wrong on {last['misclassification_rate']:.0%}), by noise of norm {last['noise_norm']:.2f}. "
        )
        if request.live < 0:
            view = record(NEGATIVES, request)
            text += f"Of the negatives of this sequence alone, shown below, {view.fooled:.0%} fool it."
        return text

    def code(self) -> str:
        """Train the adversary and plot."""
        settings = self.settings
        n_iter = self.host.session.iterations_used() or settings.n_iter
        return "\n".join(
            [
                "from acot_core.experiments import negatives_view, training_view",
                "from acot_core.figures import plot_negatives, plot_training",
                *load_lines(settings),
                *adversary_lines(settings, n_iter),
                "plot_training(training_view(adversary), width='page').savefig('training.pdf')",
                f"index = {settings.sequence}",
                f"view = negatives_view(adversary, sequences[index], int(dataset.labels[index]), "
                f"{settings.n_negatives}, {settings.seed})",
                "plot_negatives(view, width='page').savefig('negatives.pdf')",
            ]
        )
