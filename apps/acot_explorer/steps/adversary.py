"""Step 2, Adversary: learning noise that hides the class (Sec. 3.2-3.3, Eqs. 8-9; App. B.2, Fig. 5)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import panel_material_ui as pmui

from acot_core.adversary import Adversary
from acot_core.experiments.training import NegativesView, TrainingView, negatives_view, training_view
from acot_core.figures.training import plot_negatives, plot_training
from acot_explorer.clips import frames_of
from acot_explorer.jobs import Job
from acot_explorer.render import FigureSpec
from acot_explorer.requests import AdversaryRequest, ClipRequest, DataRequest
from acot_explorer.snippets import adversary_lines, load_lines
from acot_explorer.steps.base import NotReady, Step
from acot_explorer.store import adversaries, growing, load_dataset

__all__ = ["AdversaryStep"]

_STRIDE = 20  # iterations of one press of "Step": one evaluation of the history


@dataclass(frozen=True)
class _Request:
    """An adversary and its iterations; ``live`` counts the rows of a history that still grows."""

    clip: ClipRequest
    planned: int
    live: int = -1

    @property
    def adversary(self) -> Adversary:
        assert self.clip.adversary is not None
        request, n_iter = self.clip.adversary
        live = growing().get(request) if self.live >= 0 else None
        return live or adversaries().get(request, n_iter)


def _training(request: _Request) -> TrainingView:
    view = training_view(request.adversary)
    view.n_iter = request.planned
    return view


def _negatives(request: _Request) -> NegativesView:
    clip = request.clip
    label = load_dataset(clip.data).labels[clip.clip]
    return negatives_view(request.adversary, frames_of(clip), int(label), clip.n_negatives, clip.seed)


def _describe_training(view: TrainingView) -> str:
    if not len(view.history):
        return "Training has begun"
    step = int(view.history["iteration"].iloc[-1])
    return f"Fooling rate {view.last('fooling_rate'):.0%} after {step} of {view.n_iter} iterations"


def _describe_negatives(view: NegativesView) -> str:
    return (
        f"Mean frame, noise and negative of the clip: the classifier is right on {view.correct:.0%} of "
        f"the frames "
        f"and fooled by {view.fooled:.0%} of the negatives"
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
        r"\min_g\max_h\ \mathbb E\,h(x)-\mathbb E\,h(y)+\lambda_1\,\mathrm{CE}(-\zeta(y),\ell)"
        r"+\lambda_2\,\mathbb E\|\hat x\|^2,\quad y=\mathrm{ReLU}(x-\hat x)/\|\cdot\|,\ \hat x=g(z),\ "
        r"z\sim\mathcal N(\bar X,\sigma^2 I)"
    )
    notice = (
        "The fooling rate climbs from nothing; the noise need not be large for that. Below, see where it "
        "strikes: "
        "the negative keeps the background and loses the features that carry the class. Then try σ = "
        "0.5, or λ₁ = 0."
    )
    inputs = ("dataset", "stream", "encoder", "seed", "clip", "sigma", "lambda1", "lambda2", "pivot",
              "adversarial", "n_iter", "n_negatives")  # fmt: skip
    shown = ("sigma", "lambda1", "lambda2", "pivot", "adversarial", "n_iter", "clip")
    figures = ((TRAINING, "Training"), (NEGATIVES, "What the noise takes"))

    def __init__(self, explorer: Any) -> None:
        super().__init__(explorer)
        self.job: Job | None = None
        self._stopped: set[AdversaryRequest] = set()
        # Disabled until the data are there: a press before that would come to nothing.
        small: dict[str, Any] = {"size": "small", "margin": (4, 4), "disabled": True}
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
            description="Stop: what was trained is kept; the next training begins anew",
            **small,
        )
        self.train.on_click(lambda _: self.begin())
        self.pause.on_click(lambda _: self.end(stop=False))
        self.step.on_click(lambda _: self.begin(step=True))
        self.stop.on_click(lambda _: self.end(stop=True))

    def controls(self) -> list[Any]:
        """Sliders, then the buttons of the training."""
        buttons = pmui.FlexBox(self.train, self.pause, self.step, self.stop, gap="4px", margin=(0, 0, 6, 0))
        return [buttons, *super().controls()]

    # ------------------------------------------------------------ training

    @property
    def busy(self) -> bool:
        """Whether the adversary that the settings describe is being trained for this session."""
        self.job = self.explorer.desk.training(AdversaryRequest.of(self.settings))
        return self.job is not None

    def begin(self, *, step: bool = False) -> None:
        """Train from the start, or go on from where it was paused; or take a single step."""
        try:
            self._need_classes()
        except NotReady:
            return  # the figure's place says why
        request = AdversaryRequest.of(self.settings)
        if self.busy:
            return
        self._release()
        if request in self._stopped and not step:
            adversaries().restart(request)
        self._stopped.discard(request)
        done = adversaries().iterations(request) or 0
        target = min(done + _STRIDE, self.settings.n_iter) if step else self.settings.n_iter
        if done >= target and adversaries().iterations(request, target) == target:
            self.explorer.refresh()
            return
        if done > target:
            adversaries().restart(request)

        self.job = self.explorer.desk.train(request, target)
        self.refresh_buttons()

    def end(self, *, stop: bool) -> None:
        """Pause (to be resumed) or stop (to begin anew next time); either way what was trained is kept."""
        if stop:
            self._stopped.add(AdversaryRequest.of(self.settings))
        self._release()
        self.refresh_buttons()
        self.explorer.refresh()

    def _release(self) -> None:
        if self.busy and self.job is not None:
            self.explorer.desk.release(self.job)

    def _need_classes(self) -> None:
        self.explorer.desk.need_classes("there is no class for an adversary to hide")

    def refresh_buttons(self) -> None:
        """Enable what makes sense now, and say so in words."""
        request = AdversaryRequest.of(self.settings)
        busy = self.busy
        done = adversaries().iterations(request) or 0
        left = done < self.settings.n_iter
        label = "Train"
        if done and left and request not in self._stopped:
            label = f"Resume from {done}"
        elif done and not left and request not in self._stopped:
            label = "Trained"
        self.train.param.update(label=label, disabled=busy or label == "Trained")
        self.pause.disabled = not busy
        self.step.disabled = busy or not left
        self.stop.disabled = not (busy or label.startswith("Resume"))

    def work_key(self) -> Hashable:
        """The training of this adversary."""
        return ("adversary", AdversaryRequest.of(self.settings))

    def poll(self) -> None:
        """Redraw the curves while they grow."""
        if not self.explorer.drawing:  # else a curve that takes longer than a poll would never be shown
            self.explorer.refresh(awaited=False)

    # ------------------------------------------------------------ figures

    def request(self) -> _Request:
        """The adversary as far as it is trained."""
        try:
            self._need_classes()
        except NotReady:
            for button in (self.train, self.pause, self.step, self.stop):
                button.disabled = True
            raise
        self.refresh_buttons()
        settings = self.settings
        request = AdversaryRequest.of(settings)
        live = growing().get(request)
        known = adversaries().iterations(request, settings.n_iter)
        clip = ClipRequest(
            DataRequest.of(settings),
            settings.stream,
            settings.clip,
            None,
            settings.n_negatives,
            settings.seed,
        )
        if self.busy:
            rows = 0 if live is None else len(live.history)
            if rows == 0 and known is None:
                if self.job is not None and self.job.state == "queued":
                    raise NotReady("Other work is under way.\nThis training begins when its turn has come.")
                raise NotReady("The frame classifier is being trained first …")
            if rows:
                assert live is not None
                return _Request(_with(clip, request, live.n_iter_), settings.n_iter, rows)
        failure = self.explorer.desk.failed(("adversary", request))
        if known is None and failure is not None:
            raise NotReady(f"The training did not work.\n{failure}\nPress Train to try again.")
        if known is None:
            raise NotReady("No adversary with these settings yet.\nPress Train: it takes some seconds.")
        return _Request(_with(clip, request, known), settings.n_iter)

    def request_of(self, panel: Any, request: _Request) -> _Request:
        """The negatives wait until training has ended."""
        if panel.spec is NEGATIVES and request.live >= 0:
            raise NotReady("Shown when the training ends or is paused.")
        return request

    def remark(self, request: _Request) -> str:
        """The newest row of the history."""
        history = request.adversary.history
        if not len(history):
            return ""
        last = history[history["split"] == "train"].iloc[-1]
        text = (
            f"After {int(last['iteration'])} iterations **{last['fooling_rate']:.0%}** of the training "
            f"frames fool ζ "
            f"(misclassified: {last['misclassification_rate']:.0%}), with noise of norm "
            f"{last['noise_norm']:.2f}"
        )
        held_out = history[history["split"] == "held_out"]
        if len(held_out):
            text += f"; on held-out clips {held_out['fooling_rate'].iloc[-1]:.0%}"
        return text + "."

    def code(self) -> str:
        """Train the adversary and plot."""
        settings = self.settings
        n_iter = self.explorer.desk.iterations_used() or settings.n_iter
        return "\n".join(
            [
                "from acot_core.experiments import negatives_view, training_view",
                "from acot_core.figures import plot_negatives, plot_training",
                *load_lines(settings),
                *adversary_lines(settings, n_iter),
                "plot_training(training_view(adversary), width='page').savefig('training.pdf')",
                f"clip = {settings.clip}",
                f"view = negatives_view(adversary, sequences[clip], int(dataset.labels[clip]), "
                f"{settings.n_negatives}, {settings.seed})",
                "plot_negatives(view, width='page').savefig('negatives.pdf')",
            ]
        )


def _with(clip: ClipRequest, request: AdversaryRequest, n_iter: int) -> ClipRequest:
    return ClipRequest(clip.data, clip.stream, clip.clip, (request, n_iter), clip.n_negatives, clip.seed)
