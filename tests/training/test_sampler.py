import numpy as np
import pytest

from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.specs import TrainSpec
from napari_annotrain.training import sampler as sampling
from napari_annotrain.training.sampler import NOT_LEARNT, Sampler

SPEC = TrainSpec()


class Spy:
    """An array that remembers the largest window it was asked for."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.most = array, array.shape, array.dtype, 0

    def __getitem__(self, key):
        part = self.array[key]
        self.most = max(self.most, part.size)
        return part


def dataset_of(image, labels, **more):
    return build_dataset([AnnotatedImage(Stack.of(image), Stack.of(labels), **more)], "classes", SPEC)


def strokes(shape=(300, 300)):
    labels = np.zeros(shape, np.uint8)
    labels[40:44, 30:90], labels[200:204, 250:254] = 1, 2
    return labels


def test_every_class_is_drawn_equally_often_however_little_is_painted():
    rng = np.random.default_rng(0)
    sampler = Sampler(dataset_of(rng.normal(size=(300, 300)), strokes()), 32, 40)
    seen = np.array([[(w == k).any() for k in (1, 2)] for w in sampler.draw(rng, 200).maps[:, 0]])
    assert seen.any(1).all(), "every window shows annotation"
    assert 0.35 < seen[:, 1].mean() < 0.65


@pytest.mark.parametrize("most_cached", [0, 10**9])
def test_a_window_holds_the_normalised_image_and_its_annotation(monkeypatch, most_cached):
    monkeypatch.setattr(sampling, "MOST_CACHED", most_cached)
    y, x = np.indices((300, 300))
    dataset = dataset_of(1000.0 * y + x, strokes())
    windows = Sampler(dataset, 32, 40).draw(np.random.default_rng(0), 20)
    low, high = dataset.normalisations[0].low[0], dataset.normalisations[0].high[0]
    for image, (shown, weight) in zip(windows.images, windows.maps, strict=True):
        value = np.round(image[0].astype(float) * (high - low) + low)
        rows, columns = np.nonzero(shown)
        for r, c in zip(rows[:5], columns[:5], strict=True):
            at = divmod(round(value[r, c]), 1000)
            assert abs(strokes()[round(at[0]), min(299, round(at[1]))] - shown[r, c]) == 0
        assert ((weight > 0) == (shown > 0)).all()


def rises(places):
    """Whether a coordinate grows here, as it does not where an image is mirrored."""
    grows = np.diff(places) == 1
    return np.append(grows, False) | np.insert(grows, 0, False)


@pytest.mark.parametrize("most_cached", [0, 10**9])
def test_held_out_and_mirrored_pixels_are_marked_and_weigh_nothing(monkeypatch, most_cached):
    monkeypatch.setattr(sampling, "MOST_CACHED", most_cached)
    labels = np.kron(np.random.default_rng(0).integers(0, 2, (48, 48)), np.ones((16, 16))).astype(np.uint8)
    y, x = np.indices(labels.shape)
    dataset = dataset_of(x + 768.0 * y, labels, dense=True)
    assert dataset.has_validation
    held_out = dataset.areas[0].held_out
    low, high = dataset.normalisations[0].low[0], dataset.normalisations[0].high[0]
    touched = mirrored = 0
    windows = Sampler(dataset, 64, 64).draw(np.random.default_rng(1), 40)
    for image, (shown, weight) in zip(windows.images, windows.maps, strict=True):
        place = np.round(image[0].astype(float) * (high - low) + low).astype(int)  # of each pixel, mirrored ones too
        here = held_out.ravel()[place.clip(0, held_out.size - 1)]
        y, x = np.divmod(place, labels.shape[1])
        inside = np.ix_(rises(y[:, 0]), rises(x[0]))
        assert np.array_equal(shown[inside] == NOT_LEARNT, here[inside])
        touched += here[inside].any()
        outside = np.ones(shown.shape, bool)
        outside[inside] = False
        assert (shown[outside] == NOT_LEARNT).all()
        mirrored += outside.any()
        assert not weight[shown == NOT_LEARNT].any()
    assert touched, "test invalid: no window touches a held-out block"
    assert mirrored, "test invalid: no window reaches beyond the image"


@pytest.mark.parametrize("most_cached", [0, 10**9])
def test_what_another_area_holds_is_neither_learnt_nor_unknown(monkeypatch, most_cached):
    monkeypatch.setattr(sampling, "MOST_CACHED", most_cached)
    labels = np.zeros((2, 1100, 1100), np.uint8)
    labels[1, 540:560, 430:450], labels[1, 540:560, 650:670], labels[0, 540:560, 550:560] = 1, 2, 2
    dataset = dataset_of(np.arange(labels.size, dtype=np.float32).reshape(labels.shape), labels)
    assert [area.z for area in dataset.areas] == [0, 1, 1], "test invalid: two areas of a plane, and one of another"
    low, high = dataset.normalisations[0].low[0], dataset.normalisations[0].high[0]
    windows, beside = Sampler(dataset, 200, 320).draw(np.random.default_rng(0), 40), 0
    for image, (shown, weight) in zip(windows.images, windows.maps, strict=True):
        painted = labels.ravel()[np.round(image[0].astype(float) * (high - low) + low).astype(int)]
        (own,) = set(np.unique(shown)) - {NOT_LEARNT, 0}
        assert np.array_equal(shown, np.where(painted == own, own, np.where(painted > 0, NOT_LEARNT, 0)))
        assert np.array_equal(weight > 0, painted == own)
        beside += (shown == NOT_LEARNT).any()
    assert beside, "test invalid: no window reaches the other area"


def test_only_small_windows_of_a_large_image_are_read(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_CACHED", 0)
    labels = np.zeros((4, 2000, 2000), np.uint8)
    labels[2, 500:510, 500:510], labels[2, 600:610, 600:610] = 1, 2
    dataset = dataset_of(np.random.default_rng(0).normal(size=labels.shape).astype(np.float32), labels)
    spy = Spy(dataset.images[0].stack.array)
    object.__setattr__(dataset.images[0].stack, "array", spy)
    Sampler(dataset, 64, 100).draw(np.random.default_rng(0), 10)
    assert 0 < spy.most <= 100 * 100


def test_the_same_generator_gives_the_same_batch():
    dataset = dataset_of(np.random.default_rng(0).normal(size=(300, 300)), strokes())
    a, b = (Sampler(dataset, 32, 40).draw(np.random.default_rng(7), 4) for _ in range(2))
    assert np.array_equal(a.images, b.images)
    assert np.array_equal(a.maps, b.maps)
