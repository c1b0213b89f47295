"""Learning an image from an image: what the loss counts, what batches hold, and what is kept."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from napari_annotrain.data.paired import PairedImage, build_paired
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.validation import fingerprint, is_validation
from napari_annotrain.events import Checkpoint, Validated
from napari_annotrain.specs import ImageSpec, NetSpec, TrainSpec
from napari_annotrain.training.corruption import hide_pixels, make_worse
from napari_annotrain.training.image_loss import ImageLoss, mean_ssim
from napari_annotrain.training.kept import Kept
from napari_annotrain.training.paired_source import PairedSource
from napari_annotrain.training.trainer import fit
from tests.conftest import draw_discs

GRID = [(y, x, 12) for y in range(30, 400, 60) for x in range(30, 400, 60)]


def spec_of(learn_from="pair", **more):
    image = ImageSpec(learn_from=learn_from, **more)
    return TrainSpec(
        seconds=None, steps=20, patch=32, batch=2, device="cpu", precision="float32", learning_rate=5e-3, image=image
    )


def discs(learn_from="pair", holes=False):
    """Noisy discs, and the clean ones as their target."""
    noisy, labels = draw_discs((400, 400), discs=GRID)
    clean = (400 + 900 * (labels > 0)).astype(np.float32)
    if holes:
        clean[::2, ::2] = np.nan
    return PairedImage(Stack.of(noisy.astype(np.float32)), Stack.of(clean) if learn_from == "pair" else None)


def maps_of(target, weight=1.0):
    known = torch.ones(len(target), 1, *target.shape[-2:])
    return torch.cat([known, weight * known, target], 1)


def test_losses_are_what_their_names_say():
    made, target = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.tensor([[[[1.0, 4.0], [3.0, 0.0]]]])
    maps = maps_of(target)
    assert ImageLoss(ImageSpec())(made, maps).item() == pytest.approx((4 + 16) / 4)
    assert ImageLoss(ImageSpec(mse=0, mae=1))(made, maps).item() == pytest.approx((2 + 4) / 4)
    assert ImageLoss(ImageSpec(mse=0.5, mae=2))(made, maps).item() == pytest.approx(0.5 * 5 + 2 * 1.5)


def test_what_is_not_known_changes_no_loss_and_no_gradient():
    rng = torch.Generator().manual_seed(0)
    made, target = torch.rand(2, 1, 24, 24, generator=rng), torch.rand(2, 1, 24, 24, generator=rng)
    maps = maps_of(target)
    maps[:, :2, :6] = 0
    loss = ImageLoss(ImageSpec(mae=1, ssim=1))
    other = made.clone()
    other[:, :, :6] = 50
    other.requires_grad_()
    value = loss(other, maps)
    value.backward()
    assert value.item() == pytest.approx(loss(made, maps).item())
    assert not other.grad[:, :, :6].any()
    assert other.grad[:, :, 6:].any()


def test_ssim_is_that_of_scikit_image():
    rng = np.random.default_rng(0)
    a = rng.random((40, 40)).astype(np.float32)
    b = np.clip(a + 0.2 * rng.normal(size=a.shape), 0, 1).astype(np.float32)
    how = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    expected = structural_similarity(a, b, **how)[1][5:-5, 5:-5].mean()
    found = mean_ssim(*(torch.from_numpy(x)[None, None] for x in (a, b)), torch.ones(1, 1, 40, 40))
    assert found.item() == pytest.approx(expected, abs=1e-4)
    assert mean_ssim(*[torch.from_numpy(a)[None, None]] * 2, torch.ones(1, 1, 40, 40)).item() == pytest.approx(1)


def test_a_residual_is_added_to_its_image():
    image, target = torch.full((1, 1, 2, 2), 3.0), torch.full((1, 1, 2, 2), 4.0)
    maps = torch.cat([maps_of(target), image], 1)
    assert ImageLoss(ImageSpec())(torch.ones(1, 1, 2, 2), maps).item() == 0


def test_hidden_pixels_have_the_value_of_a_neighbour_and_only_they_count():
    images = torch.arange(2 * 40 * 40.0).view(2, 1, 40, 40)  # every value once
    known = torch.ones(2, 1, 40, 40)
    known[:, :, :5] = 0
    spec = ImageSpec(learn_from="noise2void", hidden=0.1, hidden_radius_px=2)
    seen, weight = hide_pixels(images, known, spec, torch.Generator().manual_seed(1))
    changed = seen != images
    assert torch.equal(weight.bool(), changed & (known > 0)), "a hidden pixel never keeps its value"
    assert changed.float().mean().item() == pytest.approx(0.1, abs=0.02)
    apart = (seen - images)[0, 0, 10:-10, 10:-10]
    dy = torch.round(apart / 40)
    assert dy.abs().max() <= 2
    assert (apart - 40 * dy).abs().max() <= 2


def test_what_is_made_worse_is_noisy_and_masked():
    images = torch.ones(4, 1, 64, 64)
    worse = make_worse(images, ImageSpec(corrupt_noise=0.2, corrupt_masked=0.25), torch.Generator().manual_seed(0))
    assert (worse == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert (worse[worse != 0] - 1).std().item() == pytest.approx(0.2, abs=0.02)


def draw(spec, image=None, step=0, patch=32):
    dataset = build_paired([image or discs(spec.image.learn_from)], spec)
    source = PairedSource(dataset, spec, patch)
    windows, drawn = source.draw(np.random.default_rng((0, step)), 8, step)
    return dataset, windows, source.apply(drawn, torch.from_numpy(windows.images), torch.from_numpy(windows.maps))


@pytest.mark.parametrize("vary", ["turns", "deform", "all"])
def test_image_and_target_move_alike(vary):
    """With the image as its own target they stay equal; only "all" changes the image's intensity."""
    image = draw_discs((400, 400), discs=GRID)[0].astype(np.float32)
    spec = spec_of(vary=vary, target_range="own")
    _, _, (images, maps) = draw(spec, PairedImage(Stack.of(image), Stack.of(image)))
    assert images.shape == (8, 1, 32, 32)
    assert torch.equal(images, maps[:, 2:3]) == (vary != "all")
    assert torch.equal(images, maps[:, 3:]), "what the residual is added to is what the network sees"
    assert np.corrcoef(images.flatten(), maps[:, 2].flatten())[0, 1] > 0.9


def test_turned_patches_hold_the_values_of_the_image():
    _, windows, (images, _) = draw(spec_of())
    assert torch.equal(images.flatten(1).sort(1).values, torch.from_numpy(windows.images).flatten(1).sort(1).values)


def test_what_is_not_a_number_is_not_known_and_does_not_leak():
    _, _, (_, maps) = draw(spec_of(vary="deform"), discs(holes=True))
    assert torch.isfinite(maps).all()
    assert 0 < maps[:, 0].mean() < 0.75
    assert maps[:, 2][maps[:, 0] > 0].min() > -0.05, "a value is made of known ones only"


def test_what_is_held_out_is_never_learnt():
    image = draw_discs((400, 400), discs=GRID)[0].astype(np.float32)
    key, whole = fingerprint(Stack.of(image)), (slice(0, 400), slice(0, 400))
    held_out = is_validation(key, 0, 0, whole, 0.15)
    target = np.where(held_out, 1.0, np.random.default_rng(0).random((400, 400)) / 2)
    for step in range(4):
        spec = spec_of(target_range="training")
        dataset, _, (_, maps) = draw(spec, PairedImage(Stack.of(image), Stack.of(target)), step)
        highest = dataset.target_normalisations[0].apply(np.array([[[0.5]]]))
        known = maps[:, 0] > 0
        assert maps[:, 2][known].max() <= highest.item() + 1e-5
        assert known.any()


def test_the_same_step_gives_the_same_batch():
    for learn_from in ("corrupted", "noise2void"):
        a, b, c = (draw(spec_of(learn_from), step=step)[2] for step in (3, 3, 4))
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])
        assert not torch.equal(a[0], c[0])


@pytest.mark.parametrize("learn_from", ["pair", "corrupted", "noise2void"])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_training_raises_the_signal_above_the_noise(learn_from, padding):
    spec = spec_of(learn_from, hidden=0.1)
    net = NetSpec(width=4, depth=2, padding=padding)
    events = list(fit(build_paired([discs(learn_from)], spec), net, spec.model_copy(update={"steps": 50})))
    scores = [e for e in events if isinstance(e, Validated)]
    assert scores[-1].score > scores[0].score
    assert scores[0].words.startswith("PSNR")
    assert scores[0].words.endswith("dB")
    assert isinstance(events[-1], Checkpoint)


def test_a_resumed_training_takes_the_same_steps(monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.progress.STEPS_BETWEEN_VALIDATIONS", 3)
    spec, net = spec_of("noise2void").model_copy(update={"steps": 8}), NetSpec(width=4, depth=2)
    dataset = build_paired([discs("noise2void")], spec)
    whole = list(fit(dataset, net, spec))[-1]
    part = list(fit(dataset, net, spec.model_copy(update={"steps": 4})))[-1]
    saved = type(part.state).from_tensors(part.state.tensors())
    resumed = list(fit(dataset, net, spec, state=saved))[-1]
    assert all(torch.equal(whole.model[name], resumed.model[name]) for name in whole.model)
    assert torch.equal(whole.state.highest, resumed.state.highest)
    assert whole.state.past is None, "in images everything is known"


def test_a_gradient_does_not_hang_on_the_parts_of_a_batch():
    from napari_annotrain.training.preparation import prepare

    spec, net = spec_of(), NetSpec(width=4, depth=1, normalisation="none")
    images, maps = draw(spec)[2]
    weights = []
    for parts in (1, 4):
        learner = prepare(net, spec)
        learner.other_loss, learner.parts = ImageLoss(spec.image), parts
        learner.learn(images, maps)
        weights.append(learner.network.state_dict())
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-6) for name in weights[0])


def errors(*of_blocks):
    """(N, 2) squared error of blocks of 100 values."""
    return torch.tensor([[e, 100.0] for e in of_blocks], dtype=torch.float64)


def test_weights_that_are_worse_by_chance_are_kept_and_others_not():
    def after(*validations):
        kept = Kept()
        for i, tables in enumerate(validations):
            kept, _ = kept.after(tables, lambda i=i: {str(i): torch.zeros(1)})
        return kept

    assert set(after(errors(1, 2, 3), errors(2, 1.5, 2.6)).weights) == {"1"}
    kept = after(errors(1, 2, 3), errors(2, 4, 6))
    assert set(kept.weights) == {"0"}
    assert kept.score == pytest.approx(-10 * np.log10(6 / 300))
    assert set(after(errors(900, 900, 900)).weights) == {"0"}, "also the first one, far below 0 dB"


def test_a_network_that_crops_learns_up_to_the_edges_of_the_image():
    dataset = build_paired([discs()], spec_of())
    source = PairedSource(dataset, spec_of(), 396, lost=92)
    inner, seen = slice(92, 304), np.zeros((400, 400), bool)
    for k in range(60):
        index, t, z, (y, x) = source._choose(np.random.default_rng(k))
        known = source._cut(index, t, z, (y, x))[1][0, inner, inner] > 0
        rows, columns = (slice(s.start + 92, s.start + 304) for s in (y, x))
        assert rows.start >= 0
        assert columns.stop <= 400
        seen[rows, columns] |= known
    held_out = is_validation(dataset.keys[0], 0, 0, (slice(0, 400), slice(0, 400)), dataset.share, dataset.released)
    assert not (seen & held_out).any()
    for rim in (seen[:20], seen[-20:], seen[:, :20], seen[:, -20:]):
        assert rim.any()
    assert seen[92:-92, 92:-92].sum() == (~held_out[92:-92, 92:-92]).sum()


def test_pixels_of_the_image_that_are_not_finite_are_not_known():
    pair = discs()
    noisy = np.array(pair.stack.array)
    noisy[200:220] = np.nan
    dataset = build_paired([PairedImage(Stack.of(noisy), pair.target)], spec_of())
    maps = PairedSource(dataset, spec_of(), 32)._cut(0, 0, 0, (slice(190, 222), slice(190, 222)))[1]
    assert not maps[0, 10:30].any()


def test_ssim_alone_can_be_learnt_from_where_it_knows_no_window():
    made = torch.rand(1, 1, 8, 8, requires_grad=True)
    loss = ImageLoss(ImageSpec(mse=0, ssim=1))(made, maps_of(torch.rand(1, 1, 8, 8)))
    loss.backward()
    assert loss.item() == 0
    assert not made.grad.any()
