"""Which pixels judge a training, and what is to be learnt there."""

from hashlib import blake2b

from napari_annotrain.api.plan import Plan
from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.specs import ImageSpec

#: Settings that say what an image is restored from, by which the score is another one.
_RESTORED_FROM = {
    "pair": {"learn_from"},
    "corrupted": {"learn_from", "corrupt_noise", "corrupt_masked"},
    "noise2void": {"learn_from", "hidden", "hidden_radius_px"},
}


def judges_of(plan: Plan) -> str:
    """Stands for the validation pixels and what is to be learnt there; empty where there are none."""
    hashed = blake2b(digest_size=8)
    if isinstance(plan.dataset, PairedDataset):
        there = _say_pairs(hashed, plan.dataset, plan.spec.image)
    else:
        there = _say_annotated(hashed, plan.dataset)
    return hashed.hexdigest() if there else ""


def _say_annotated(hashed: blake2b, dataset: AnnotatedDataset) -> bool:
    areas = [area for area in dataset.areas if area.held_out.any()]
    for area in areas:
        hashed.update(repr((area.key, area.t, area.z, area.box)).encode())
        hashed.update(area.held_out.tobytes() + area.target[area.held_out].tobytes())
    return bool(areas)


def _say_pairs(hashed: blake2b, dataset: PairedDataset, spec: ImageSpec) -> bool:
    """Errors are counted in units of the target's range, so that it belongs to what judges."""
    hashed.update(repr(sorted(spec.model_dump(include=_RESTORED_FROM[spec.learn_from]).items())).encode())
    for block in dataset.held_out:
        ranges = dataset.target_normalisations[block.image]
        hashed.update(repr((dataset.keys[block.image], block, ranges)).encode())
    return bool(dataset.held_out)
