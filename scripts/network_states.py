"""Further states of the window worth a picture: networks, images from images, doubt."""

import numpy as np
from desk import WHERE, Desk
from states import no_annotation, ready, state, well_annotated

from napari_annotrain.data.synthetic import cells


@state("meaning-changes", "Classes become cells", "What was painted means something else then; there is a way back.")
def meaning_changes() -> Desk:
    desk = ready()
    desk.find("target_combo").choose("cells")
    desk.pause()
    return desk


@state("network-parts", "Parts of the network", "What does not go together is said there.")
def network_parts() -> Desk:
    desk = ready()
    desk.find("base_combo").choose("nothing")
    desk.open_steps("Train")
    desk.press("network_parts_button")
    return desk


def compare(desk: Desk, names: tuple[str, ...], seconds: int) -> None:
    """Compare networks to the end."""
    desk.open_steps("Models")
    desk.press("compare_fold_button")
    box = desk.panel.models.compare
    for name, check in box.checks.items():
        check.setChecked(name in names)
    box.seconds.setValue(seconds)
    desk.press("compare_button")
    desk.idle()


@state("compared", "Networks compared", "The same annotation, the same time: curves, table, and each one's labels.")
def compared() -> Desk:
    desk = well_annotated()
    desk.find("base_combo").choose("nothing")
    compare(desk, ("fast", "flat", "fcn"), 25)
    return desk


def noisy_and_clean() -> Desk:
    """A noisy image is to learn from a clean one."""
    desk = Desk()
    clean, _ = cells(seed=6)
    low, high = np.percentile(clean, (1, 99.8))
    noisy = clean + np.random.default_rng(0).normal(0, 0.15 * (high - low), clean.shape)
    target = desk.array(clean.astype(np.float32), "long exposure", **WHERE)
    image = desk.array(noisy.astype(np.float32), "short exposure", contrast_limits=(low, high), **WHERE)
    desk.find("image_combo").choose(image)
    desk.find("target_combo").choose("image")
    desk.find("annotation_combo").choose(target)
    return desk


@state("image-from-image", "Images from images", "A noisy image learns from a clean one; the result is an image.")
def image_from_image() -> Desk:
    desk = noisy_and_clean()
    desk.train_for(120)
    desk.idle()
    desk.open_steps("Annotate", "Train")
    return desk


@state(
    "compared-images",
    "Networks that make images, compared",
    "The scores are decibels; the chosen one's image lies over yours.",
)
def compared_images() -> Desk:
    desk = noisy_and_clean()
    desk.find("base_combo").choose("nothing")
    compare(desk, ("fast", "resunet"), 25)
    return desk


@state("uncertainty", "Uncertainty", "Where the model is in doubt, as a layer.")
def uncertainty() -> Desk:
    desk = no_annotation()
    desk.have_predicted("uncertainty", "slice")
    desk.open_steps("Image", "Predict")
    return desk


@state("inside", "Inside the network", "A feature map of one level over the view, at a quarter of the size.")
def inside() -> Desk:
    desk = no_annotation()
    desk.have_model("cells")
    desk.open_steps("Image", "Models")
    desk.press("inside_button")
    desk.wait(lambda: not desk.controller.inside.busy)
    desk.find("inside_level_combo").setCurrentIndex(3)
    desk.pause()
    return desk


@state("first-filters", "The first filters", "What the first convolution looks for, as a layer: edges and spots.")
def first_filters() -> Desk:
    desk = inside()
    desk.find("inside_level_combo").setCurrentIndex(0)
    desk.pause()
    return desk
