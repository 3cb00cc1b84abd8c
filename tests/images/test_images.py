"""Images (Sec. 4.3, Figure 3): networks, adversary with the decoder in the loop, experiment, figures."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from acot_core._utils.progress import Cancelled, Progress
from acot_core.datasets import data_root, load_images
from acot_core.experiments.figure3 import PerturbationRecord, perturb_images
from acot_core.figures.perturbations import plot_overlap, plot_perturbations
from acot_core.figures.style import render
from acot_core.gan.wgan import Batch
from acot_core.images import ImageModel, ImageSettings, load_image_model, train_image_model
from acot_core.images.adversary import ImageWGAN, visibility
from acot_core.images.saliency import gradient_map, noise_map, occlusion_map, overlap
from acot_core.images.training import augment, harden_classifier, train_autoencoder, train_classifier

_TINY = ImageSettings(
    classifier_width=4, classifier_epochs=1, latent_channels=4, autoencoder_width=4, autoencoder_epochs=1,
    hardening_epochs=1, generator_width=8, critic_width=4, n_iter=2, n_critic=1, batch_size=8,
)  # fmt: skip

_STAGES = ["classifier", "auto-encoder", "classifier, hardened", "adversary"]


@pytest.fixture(scope="module")
def data():
    return load_images("shapes", n_train=100)


@pytest.fixture(scope="module")
def tiny(data):
    return ImageModel("shapes", data.class_names, _TINY, _TINY.build(10, 0))


@pytest.fixture(scope="module")
def record():
    return perturb_images("shapes", n_images=20, n_draws=2, random_state=3)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _adversary(model: ImageModel, **options: float) -> ImageWGAN:
    values = {"sigma": 0.01, "lambda1": 0.7, "lambda2": 2.0, "clip": 0.01, "learning_rate": 1e-3} | options
    networks = copy.deepcopy(
        [getattr(model, n) for n in ("autoencoder", "classifier", "generator", "critic")]
    )
    return ImageWGAN(*networks, **values)


# ------------------------------------------------------------------ networks and their training


def test_latents_are_non_negative_unit_norm_frames(tiny, data):
    latents = tiny.encode(data.images[:20])
    assert latents.shape == (20, 256)
    assert (latents >= 0).all()
    torch.testing.assert_close(latents.norm(dim=1), torch.ones(20, dtype=torch.float32))
    decoded = tiny.decode(latents)
    assert decoded.shape == (20, 3, 32, 32)
    assert 0 <= decoded.min() <= decoded.max() <= 1


def test_decoder_needs_no_norm(tiny, data):
    images = data.pixels()[:5]
    torch.testing.assert_close(tiny.decode(tiny.encode(images)), tiny.autoencoder(images))


def test_one_images_answers_do_not_depend_on_the_others(tiny, data):
    together, alone = (tiny.perturb(data.images[s], data.labels[s], 3) for s in (slice(0, 9), slice(4, 5)))
    for name in ("reconstructions", "perturbed", "probabilities_after", "critic_after", "noise_norm"):
        torch.testing.assert_close(getattr(together, name)[4:5], getattr(alone, name), atol=1e-5, rtol=1e-4)


def test_augmentation_moves_whole_images(data):
    images = data.pixels()[:64]
    moved = augment(images, _generator(), shift=2)
    assert torch.equal(moved, augment(images, _generator(), shift=2))
    candidates = []
    for image in (images, images.flip(3)):
        padded = nn.functional.pad(image, [2] * 4, mode="reflect")
        candidates += [padded[:, :, y : y + 32, x : x + 32] for y in range(5) for x in range(5)]
    # Each image is one of its 50 shifted and mirrored versions, and not always the same one.
    match = torch.stack([(c == moved).flatten(1).all(1) for c in candidates])
    assert match.any(0).all()
    assert match.any(1).sum() > 20


def test_augmentation_cuts_a_square(data):
    cut = augment(torch.zeros(200, 3, 32, 32, dtype=torch.float32), _generator(), cut=10) == 0.5
    sizes = cut[:, 0].sum((1, 2))
    assert sizes.max() == 100
    assert sizes.min() >= 25  # at least a corner's quarter is inside


def test_classifier_and_autoencoder_learn(data):
    networks = _TINY.build(10, 0)
    images, labels = data.part("train").images, data.part("train").labels
    losses: dict[str, list[float]] = {}

    def callback(progress: Progress) -> None:
        losses.setdefault(progress.stage, []).append(progress.values["loss"])

    options = {"n_epochs": 6, "generator": _generator(), "callback": callback}
    classifier = train_classifier(networks["classifier"], images, labels, batch_size=20, **options)
    train_autoencoder(networks["autoencoder"], images, batch_size=20, learning_rate=5e-3, **options)
    assert len(losses["classifier"]) == 6
    assert losses["classifier"][-1] < losses["classifier"][0] - 0.1
    assert losses["auto-encoder"][-1] < 0.8 * losses["auto-encoder"][0]
    assert not classifier.training
    torch.testing.assert_close(classifier.mean, (images.float() / 255).mean((0, 2, 3), keepdim=True))


def test_hardening_trains_the_classifier_alone(data):
    networks = _TINY.build(10, 0)
    before = {name: copy.deepcopy(networks[name].state_dict()) for name in ("classifier", "autoencoder")}
    images, labels = data.part("train").images, data.part("train").labels
    harden_classifier(
        networks["classifier"], networks["autoencoder"], images, labels, n_epochs=1, generator=_generator()
    )
    for name, same in (("classifier", False), ("autoencoder", True)):
        state = networks[name].state_dict()
        assert all(torch.equal(v, state[k]) for k, v in before[name].items()) == same


def test_generator_owns_its_own_weights_only(tiny):
    names = {name.split(".")[0] for name in tiny.generator.state_dict()}
    assert names == {"body"}
    z = torch.rand(2, 3, 256, dtype=torch.float32)
    torch.testing.assert_close(tiny.generator(z)[1], tiny.generator(z[1]), atol=1e-6, rtol=1e-4)


# ------------------------------------------------------------------ the adversary, Eq. (9)


def test_generator_loss_is_equation_9(tiny, data):
    wgan = _adversary(tiny).wgan
    x, labels = tiny.encode(data.images[:6]), data.labels[:6]
    noise = wgan.noise(x, torch.randn(x.shape, generator=_generator(), dtype=torch.float32))
    y = torch.relu(x - noise)
    y = y / y.norm(dim=1, keepdim=True)
    image = tiny.autoencoder.decode(y)
    softmin = (-tiny.classifier(image)).softmax(1)
    expected = -tiny.critic(image).mean()
    expected += 0.7 * -softmin[torch.arange(6), labels].log().mean()
    expected += 2.0 * (noise**2).sum(1).mean()
    torch.testing.assert_close(wgan.generator_loss(x, noise, labels), expected)
    gap = tiny.critic(tiny.decode(x)).mean() - tiny.critic(image).mean()
    torch.testing.assert_close(wgan.wasserstein(x, y), gap, atol=1e-6, rtol=1e-4)


def test_finishing_compares_each_image_with_the_real_mean(tiny, data):
    adversary = _adversary(tiny)
    adversary.each_image, wgan = True, adversary.wgan
    x, labels = tiny.encode(data.images[:6]), data.labels[:6]
    noise = wgan.noise(x, torch.randn(x.shape, generator=_generator(), dtype=torch.float32))
    y = torch.relu(x - noise)
    image = tiny.autoencoder.decode(y / y.norm(dim=1, keepdim=True))
    distance = (tiny.critic(image) - tiny.critic(tiny.decode(x)).mean()).abs().mean()
    softmin = (-tiny.classifier(image)).softmax(1)
    expected = distance + 0.7 * -softmin[torch.arange(6), labels].log().mean()
    expected += 2.0 * (noise**2).sum(1).mean()
    torch.testing.assert_close(wgan.generator_loss(x, noise, labels), expected)
    gap = tiny.critic(tiny.decode(x)).mean() - tiny.critic(image).mean()
    assert distance >= gap - 1e-7


def test_visibility_penalises_stripes_more_than_a_smooth_change(tiny, data):
    x = torch.arange(32.0)
    stripes = 0.1 * 2**0.5 * torch.sin(2 * torch.pi * (x + 0.5) / 4).expand(2, 3, 32, 32)
    veil = torch.full((2, 3, 32, 32), 0.1)
    torch.testing.assert_close(visibility(veil), torch.tensor(0.01))
    assert stripes.square().mean().sqrt() == pytest.approx(0.1)  # as strong as the veil
    # The mean over 5 pixels of such stripes is -1/5 of them, but near the border.
    torch.testing.assert_close(visibility(stripes), torch.tensor(0.01 * (1 + 10 * 1.2**2)), rtol=0.1, atol=0)
    torch.testing.assert_close(visibility(stripes), visibility(stripes.mT))
    plain, weighed = _adversary(tiny).wgan, _adversary(tiny, lambda3=1.5).wgan
    z, labels = tiny.encode(data.images[:6]), data.labels[:6]
    noise = torch.randn(
        z.shape, generator=_generator(), dtype=torch.float32
    )  # an untrained generator's is next to nothing
    change = tiny.decode(plain.negatives(z, noise).detach()) - tiny.decode(z)
    assert visibility(change) > 1e-4
    difference = weighed.generator_loss(z, noise, labels) - plain.generator_loss(z, noise, labels)
    torch.testing.assert_close(difference, 1.5 * visibility(change), atol=1e-5, rtol=1e-3)


def test_an_iteration_trains_generator_and_critic_alone(tiny, data):
    wgan = _adversary(tiny).wgan
    parts = {"generator": wgan.generator, "critic": wgan.critic, "classifier": wgan.classifier}
    parts["autoencoder"] = wgan.decode.__self__
    before = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    x = tiny.encode(data.images[:16])
    normal = torch.randn((3, 16, 256), generator=_generator(), dtype=torch.float32)
    frames = x.expand(3, -1, -1)
    wgan.iterate(Batch(frames, frames, data.labels[:16].expand(3, -1), normal))
    for name, part in parts.items():
        same = all(torch.equal(before[name][key], value) for key, value in part.state_dict().items())
        assert same == (name in ("classifier", "autoencoder")), name
    assert all(p.abs().max() <= 0.01 for p in wgan.critic.parameters())


def test_state_is_that_of_all_parts_and_can_be_loaded(tiny, data):
    first, second = _adversary(tiny).wgan, _adversary(tiny).wgan
    frames = tiny.encode(data.images[:16]).expand(3, -1, -1)
    normal = torch.randn(frames.shape, generator=_generator(), dtype=torch.float32)
    first.iterate(Batch(frames, frames, data.labels[:16].expand(3, -1), normal))
    state = first.state()
    assert any(not torch.equal(value, second.state()[name]) for name, value in state.items())
    second.load_state(state)
    assert all(torch.equal(value, second.state()[name]) for name, value in state.items())


def test_critic_weight_scales_the_critics_term_alone(tiny, data):
    adversary = _adversary(tiny)
    x, labels = tiny.encode(data.images[:6]), data.labels[:6]
    noise = torch.randn(x.shape, generator=_generator(), dtype=torch.float32)
    full = adversary.wgan.generator_loss(x, noise, labels)
    adversary.critic_weight = 0.25
    score = tiny.critic(tiny.decode(adversary.wgan.negatives(x, noise))).mean()
    torch.testing.assert_close(adversary.wgan.generator_loss(x, noise, labels), full + 0.75 * score)


def test_the_critic_sees_decoded_reals_and_ascends(tiny, data):
    wgan = _adversary(tiny, clip=1.0, learning_rate=1e-3).wgan
    x = tiny.encode(data.images[:64])
    y = tiny.encode(data.images[64:128].flip(2))
    before = float(wgan.wasserstein(x, y).detach())
    for _ in range(20):
        wgan.critic_step(x, y)
    assert float(wgan.wasserstein(x, y).detach()) > before + 1e-4


# ------------------------------------------------------------------ the model


def test_perturbations_are_the_decoded_negatives(tiny, data):
    images, labels = data.images[:3], data.labels[:3]
    perturbed = tiny.perturb(images, labels, 2, sigma=0.0)
    x = tiny.encode(images)
    y = torch.relu(x - tiny.generator(x))
    expected = tiny.decode(y / y.norm(dim=1, keepdim=True))
    for draw in range(2):
        torch.testing.assert_close(perturbed.perturbed[:, draw], expected)
    torch.testing.assert_close(perturbed.noise[:, 0], expected - tiny.decode(x))
    torch.testing.assert_close(perturbed.probabilities_after.sum(-1), torch.ones(3, 2, dtype=torch.float32))


def test_draws_differ_and_follow_the_seed(tiny, data):
    images, labels = data.images[:2], data.labels[:2]
    a, b, c = (tiny.perturb(images, labels, 2, sigma=0.5, random_state=s) for s in (0, 0, 1))
    assert torch.equal(a.perturbed, b.perturbed)
    assert not torch.equal(a.perturbed[:, 0], a.perturbed[:, 1])
    assert not torch.equal(a.perturbed, c.perturbed)


def test_sigma_scales_the_draws(tiny, data):
    images, labels = data.images[:8], data.labels[:8]
    spread = [
        tiny.perturb(images, labels, 8, sigma=sigma).perturbed.std(1).mean() for sigma in (0.0, 0.01, 0.1)
    ]
    assert spread[0] < 1e-6 < spread[1] < spread[2]


@pytest.mark.parametrize(
    ("images", "labels", "options", "message"),
    [
        (np.zeros((2, 3, 28, 28)), [0, 1], {}, "images: expected shape"),
        (np.zeros((0, 3, 32, 32)), [], {}, "images: expected shape"),
        (np.full((2, 3, 32, 32), 1.5), [0, 1], {}, r"images\[0\]"),
        (np.full((2, 3, 32, 32), np.nan), [0, 1], {}, r"images\[0\]"),
        (np.zeros((2, 3, 32, 32)), [0], {}, "labels: expected 2"),
        (np.zeros((2, 3, 32, 32)), [0, 10], {}, r"labels\[1\] is 10"),
        (np.zeros((2, 3, 32, 32)), [0.5, 1.0], {}, "labels"),
        (np.zeros((2, 3, 32, 32)), [0, 1], {"n_draws": 0}, "n_draws"),
        (np.zeros((2, 3, 32, 32)), [0, 1], {"sigma": -1}, "sigma"),
        (np.zeros((2, 3, 32, 32)), [0, 1], {"random_state": "a"}, "random_state"),
    ],
)
def test_bad_arguments_are_named(tiny, images, labels, options, message):
    with pytest.raises(ValueError, match=message):
        tiny.perturb(images, labels, **options)


def test_latents_of_another_size_are_refused(tiny):
    with pytest.raises(ValueError, match="latents"):
        tiny.decode(torch.zeros(2, 7, dtype=torch.float32))


def test_uint8_and_float_images_are_the_same(tiny, data):
    assert torch.equal(tiny.classify(data.images[:4]), tiny.classify(data.pixels()[:4].numpy()))


def test_training_is_one_call_and_repeats(data):
    events: list[Progress] = []
    model = train_image_model(data, settings=_TINY, callback=events.append, device="cpu", random_state=5)
    again = train_image_model(data, settings=_TINY, device="cpu", random_state=5)
    assert [e.stage for e in events] == [*_STAGES, "adversary"]
    for name, value in model.generator.state_dict().items():
        assert torch.equal(value, again.generator.state_dict()[name])
    assert model.history.iteration.tolist() == [0, 2]
    scores = model.score(model.decode(model.encode(data.part("validation").images)))
    inside = ((scores >= model.critic_range[0]) & (scores <= model.critic_range[1])).float().mean()
    assert 0.85 < inside < 0.95


def test_training_leaves_the_global_seed_alone(data):
    torch.manual_seed(7)
    expected = torch.rand(3, dtype=torch.float32)
    torch.manual_seed(7)
    _TINY.build(10, 0)
    assert torch.equal(torch.rand(3, dtype=torch.float32), expected)


@pytest.mark.parametrize("stage", _STAGES)
def test_cancelling_keeps_what_was_learnt_and_stops(data, stage):
    seen: list[str] = []

    def stop(progress: Progress) -> None:
        seen.append(progress.stage)
        if progress.stage == stage:
            raise Cancelled

    model = train_image_model(data, settings=_TINY, callback=stop, device="cpu")
    assert seen[-1] == stage
    assert seen.count(stage) == 1
    untrained = _TINY.build(10, 0)
    part = "autoencoder" if stage == "auto-encoder" else "classifier"
    trained = getattr(model, part).state_dict()
    assert any(not torch.equal(v, trained[k]) for k, v in untrained[part].state_dict().items())
    assert model.perturb(data.images[:2], data.labels[:2]).perturbed.isfinite().all()


def test_trained_networks_are_taken_as_they_are(data):
    classifier = _TINY.build(10, 9)["classifier"]
    before = copy.deepcopy(classifier.state_dict())
    model = train_image_model(data, settings=_TINY, trained={"classifier": classifier}, device="cpu")
    assert all(torch.equal(before[k], v) for k, v in model.classifier.state_dict().items())


def test_the_adversary_is_finished_by_itself_or_in_one_go(data):
    settings = dataclasses.replace(_TINY, finish_iter=2)
    in_one_go = train_image_model(data, settings=settings, device="cpu", random_state=5)
    assert in_one_go.history.iteration.tolist() == [0, 2, 2, 4]
    first = train_image_model(data, settings=_TINY, device="cpu", random_state=5)
    parts = {n: getattr(first, n) for n in ("classifier", "autoencoder", "generator", "critic")}
    before = copy.deepcopy(first.generator.state_dict())
    stages: list[str] = []
    last = train_image_model(
        data, settings=settings, trained=parts, device="cpu", random_state=5,
        callback=lambda progress: stages.append(progress.stage),
    )  # fmt: skip
    assert set(stages) == {"adversary, finished"}
    for name, value in in_one_go.generator.state_dict().items():
        assert torch.equal(value, last.generator.state_dict()[name])
    assert any(not torch.equal(value, before[name]) for name, value in last.generator.state_dict().items())
    assert all(torch.equal(v, first.generator.state_dict()[k]) for k, v in before.items())  # it was copied


def test_model_survives_the_disk(tiny, data, tmp_path):
    path = tiny.save(tmp_path / "model.safetensors")
    loaded = ImageModel.load(path, device="cpu")
    assert loaded.class_names == tiny.class_names
    assert loaded.settings == tiny.settings
    # Weights are stored in half precision.
    a, b = tiny.classify(data.images[:8]), loaded.classify(data.images[:8])
    torch.testing.assert_close(a, b, atol=5e-3, rtol=5e-2)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated"):
        ImageModel.load(path)
    with pytest.raises(ValueError, match=r"cifar10.*shapes"):
        load_image_model("mnist")


# ------------------------------------------------------------------ saliency and overlap


class _Reader(nn.Module):
    """A classifier whose logits are the mean red of the image's upper left and lower right corner."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images[:, 0, :8, :8].mean((1, 2)), images[:, 0, -8:, -8:].mean((1, 2))], 1) * 10


def test_saliency_finds_what_the_classifier_reads():
    images = torch.zeros(2, 3, 32, 32, dtype=torch.float32)
    images[:, 0, :8, :8] = images[:, 0, -8:, -8:] = 1
    labels = torch.tensor([0, 1])
    for saliency in (
        occlusion_map(_Reader(), images, labels),
        gradient_map(_Reader(), images, labels, generator=_generator()),
    ):
        assert saliency.shape == (2, 32, 32)
        assert saliency[0, :8, :8].mean() > 10 * saliency[0, 16:].mean()
        assert saliency[1, -8:, -8:].mean() > 10 * saliency[1, :16].mean()


def test_overlap_counts_the_noise_on_the_salient_quarter():
    saliency = torch.zeros(3, 32, 32, dtype=torch.float32)
    saliency[:, :16, :16] = 1
    noise = torch.zeros(3, 3, 32, 32, dtype=torch.float32)
    noise[0, 0, :16, :16] = -2.0
    noise[1, 1, 16:] = 1.0
    noise[2] = 0.3
    strength = noise_map(noise)
    torch.testing.assert_close(strength[2, 0, 0], torch.tensor(0.3 * 3**0.5, dtype=torch.float32))
    torch.testing.assert_close(
        overlap(strength, saliency), torch.tensor([1.0, 0.0, 0.25], dtype=torch.float32)
    )
    assert torch.equal(
        overlap(torch.zeros(1, 32, 32, dtype=torch.float32), saliency[:1]),
        torch.zeros(1, dtype=torch.float32),
    )


# ------------------------------------------------------------------ experiment and record


def test_record_is_consistent(record):
    table = record.to_frame()
    assert len(table) == 40
    assert record.images.shape == record.reconstructions.shape == (20, 3, 32, 32)
    assert record.perturbed.shape == record.noise.shape == (20, 2, 3, 32, 32)
    assert record.saliency.shape == (20, 32, 32)
    assert table.groupby("label").size().eq(4).all()
    assert (table.fooled == (table.confidence_after < 0.1)).all()
    assert (table.accepted == table.critic_after.between(*record.critic_range)).all()
    error = ((record.perturbed - record.reconstructions[:, None]) ** 2).mean((2, 3, 4)).ravel()
    np.testing.assert_allclose(table.psnr, -10 * np.log10(error), rtol=1e-4)
    model, rows = load_image_model("shapes"), table.image.to_numpy()[::2]
    test = load_images("shapes", n_train=10).part("test").take(rows)
    again = model.perturb(test.images, test.labels, 2, random_state=3)
    np.testing.assert_allclose(again.perturbed.numpy(), record.perturbed, atol=1e-5)
    strength = noise_map(torch.from_numpy(record.noise[:, 1]))
    expected = overlap(strength, torch.from_numpy(record.saliency))
    np.testing.assert_allclose(table.overlap[1::2], expected, rtol=1e-4)
    # The same noise at random places meets the salient quarter as often as chance does.
    assert abs(table.overlap_random.mean() - 0.25) < 0.02


def test_record_summary_counts(record):
    summary, classes = record.summary(), record.per_class()
    assert summary["n_images"] == 20
    assert summary["fooled"] == record.table.fooled.mean()
    assert classes.label.tolist() == record.class_names
    assert summary["overlap"] == pytest.approx(classes.overlap.mean())
    assert (classes.n_images == 2).all()
    np.testing.assert_allclose(classes.overlap_gain, classes.overlap - classes.overlap_random, rtol=1e-6)


def test_record_survives_the_disk(record, tmp_path):
    loaded = PerturbationRecord.load(record.save(tmp_path / "record.zip"))
    np.testing.assert_array_equal(loaded.perturbed, record.perturbed)
    assert loaded.summary() == pytest.approx(record.summary())
    assert loaded.critic_range == record.critic_range


def test_chosen_images_and_cancelling(tiny, data):
    test = data.part("test")
    record = perturb_images(tiny, test, rows=[5, 3])
    np.testing.assert_allclose(record.images, test.pixels()[[5, 3]].numpy())
    assert record.table.image.tolist() == [5, 3]
    one = perturb_images(tiny, test, rows=[5]).table
    pd.testing.assert_frame_equal(
        one[["image", "label", "draw"]], record.table[["image", "label", "draw"]][:1]
    )

    def stop(progress: Progress) -> None:
        raise Cancelled

    assert len(perturb_images(tiny, test, n_images=60, callback=stop).images) == 50
    for rows in ([len(test)], [-1], [], [0.5]):
        with pytest.raises(ValueError, match="rows"):
            perturb_images(tiny, test, rows=rows)
    with pytest.raises(ValueError, match="n_images"):
        perturb_images(tiny, test, n_images=0)


def test_a_model_and_a_dataset_of_other_classes_are_refused(tiny, data):
    other = copy.copy(data)
    object.__setattr__(other, "class_names", tuple("abcdefghij"))
    with pytest.raises(ValueError, match="classes"):
        perturb_images(tiny, other)


# ------------------------------------------------------------------ what ships


def _check_shipped(name: str, test, n_images: int) -> None:
    summary = perturb_images(name, test, n_images=n_images, random_state=1).summary()
    assert summary["accuracy"] >= 0.75
    assert summary["psnr_reconstruction"] >= 22
    # Of 50 images; benchmarks/results/images_*.json has the figures of many.
    assert summary["fooled"] >= 0.8
    assert summary["fooled_and_accepted"] >= 0.8
    assert summary["overlap"] > summary["overlap_random"]


def test_shipped_shapes_networks_do_what_is_claimed():
    _check_shipped("shapes", None, 50)


def test_shipped_cifar_networks_do_what_is_claimed():
    if data_root() is None:
        pytest.skip("CIFAR-10 is not at hand")
    _check_shipped("cifar10", load_images("cifar10", data_root()).part("test"), 50)


# ------------------------------------------------------------------ figures


def _texts(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


@pytest.mark.parametrize(("width", "theme"), [("column", "light"), ("page", "dark"), ("slide", "light")])
def test_triplets_show_class_and_confidence(record, width, theme):
    figure = plot_perturbations(record, images=range(5), draw=1, width=width, theme=theme)
    row = record.table.iloc[2 * 4 + 1]
    assert len(figure.axes) == 15
    assert f"{row.label} {row.confidence:.0%}" in _texts(figure)
    assert row.predicted_after != row.label
    seen = f"{row.predicted_after} {row.highest_after:.0%}"
    assert f"{row.label} {row.confidence_after:.0%}\n{seen}" in _texts(figure)
    image, perturbed, noise = (axes.images[0].get_array() for axes in figure.axes[12:15])
    np.testing.assert_allclose(image, record.images[4].transpose(1, 2, 0), atol=1e-6)
    np.testing.assert_allclose(perturbed, record.perturbed[4, 1].transpose(1, 2, 0), atol=1e-6)
    # Grey where nothing changed, brighter where the perturbed image is.
    change = record.noise[4, 1].transpose(1, 2, 0)
    assert np.corrcoef(change.ravel(), np.asarray(noise).ravel())[0, 1] > 0.97
    assert (np.sign(noise - 0.5) == np.sign(change))[np.abs(change) > 0.02].all()
    assert render(figure, "png", 60).startswith(b"\x89PNG")


def test_other_columns_and_bad_arguments(record):
    figure = plot_perturbations(record, images=[0], columns=("reconstruction", "noise", "saliency"))
    assert len(figure.axes) == 3
    for options in ({"images": [20]}, {"images": []}, {"draw": 2}, {"columns": ("picture",)}):
        with pytest.raises(ValueError, match=next(iter(options))):
            plot_perturbations(record, **options)


def test_overlap_figure_shows_every_class(record):
    figure = plot_overlap(record)
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == record.class_names
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["adversarial noise"].get_xdata(), record.per_class().overlap)
    assert render(figure, "svg").startswith(b"<?xml")
