"""Images that are learnt from as they are: pairs of an image and a target image, or images alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_annotrain.data.normalise import Normalisation, measure, merge
from napari_annotrain.data.stack import Stack, spread
from napari_annotrain.data.validation import BLOCK, FEWEST_BLOCKS, FEWEST_HELD_OUT, fingerprint, held_out_blocks
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import TrainSpec

#: Image and target whose intensity ranges overlap by more than this share of both together have the same units.
SAME_RANGE = 0.5
#: Validation blocks are looked for among about so many; of larger stacks in planes evenly spread.
MOST_BLOCKS_SEARCHED = 100_000


@dataclass(frozen=True)
class PairedImage:
    """An image and what the network should make of it.

    Attributes
    ----------
    stack
        The image.
    target
        Same T, Z, Y, X as `stack`, any channels; NaN where it is not known. None: the image itself.
    """

    stack: Stack
    target: Stack | None = None

    def __post_init__(self) -> None:
        if self.target is None:
            return
        if self.stack.shape[:1] + self.stack.shape[2:] != self.target.shape[:1] + self.target.shape[2:]:
            words, theirs = (" x ".join(str(n) for n in one.label_shape) for one in (self.stack, self.target))
            raise AnnotrainError(
                f"The image {self.stack.name} is {words} but its target is {theirs}: choose the target that belongs "
                "to it."
            )

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.stack.name


@dataclass(frozen=True)
class HeldOut:
    """One validation block: its image, plane and (y, x) origin in px."""

    image: int
    t: int
    z: int
    y: int
    x: int


@dataclass(frozen=True)
class PairedDataset:
    """Images to learn images from, ready for the sampler; all of them is known, but for NaN.

    Attributes
    ----------
    images
        Those that can be used.
    normalisations, target_normalisations
        Intensity range of each image, and of each target.
    target_range
        (low, high) of each channel of all targets; empty where each target has the range of its image.
    keys
        Fingerprint of each image.
    share
        Of the blocks, kept for validation.
    held_out
        The blocks to score.
    released
        Validation blocks that are trained on.
    notes, failed
        As in `dataset.AnnotatedDataset`.
    """

    images: tuple[PairedImage, ...]
    normalisations: tuple[Normalisation, ...]
    target_normalisations: tuple[Normalisation, ...]
    target_range: tuple[tuple[float, float], ...]
    keys: tuple[str, ...]
    share: float
    held_out: tuple[HeldOut, ...] = field(default=(), repr=False)
    released: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def n_targets(self) -> int:
        """Channels of the targets."""
        first = self.images[0]
        return (first.target or first.stack).n_channels

    @property
    def residual(self) -> bool:
        """Whether the network makes what is to be added to the image: they have the same units."""
        return not self.target_range

    @property
    def n_pixels(self) -> int:
        """Pixels of all images, of one channel each."""
        return sum(int(np.prod(one.stack.label_shape)) for one in self.images)


def build_paired(
    images: Sequence[PairedImage],
    spec: TrainSpec,
    released: Collection[str] = (),
    skip_bad: bool = False,
    target_range: Sequence[tuple[float, float]] | None = None,
) -> PairedDataset:
    """Measure images and targets, and set the validation blocks apart.

    Parameters
    ----------
    released
        As in `dataset.build_dataset`.
    skip_bad
        Skip images that cannot be used, instead of refusing.
    target_range
        That of an earlier training to go on with; empty for the range of each image.

    Raises
    ------
    AnnotrainError
        There is no image, they differ in channels, or one of them cannot be used.
    """
    found, notes, failed = _measure_all(images, spec, skip_bad)
    kept = [one for one, _, _ in found]
    _check_channels([one.stack for one in kept], "image")
    _check_channels([one.target or one.stack for one in kept], "target")
    own, theirs = [n for _, n, _ in found], [n for _, _, n in found]
    if spec.normalise.scope == "training":
        own = [merge(own)] * len(own)
    if target_range is None:
        target_range, note = _choose_range(kept, own, theirs, spec)
        notes += [note] if note else []
    keys = [fingerprint(one.stack) for one in kept]
    held_out, newly_released, note = _hold_out(kept, keys, spec.validation, released)
    notes += [note] if note else []
    return PairedDataset(
        tuple(kept),
        tuple(own),
        tuple([_of_range(target_range)] * len(own) if target_range else own),
        tuple(target_range),
        tuple(keys),
        spec.validation,
        held_out,
        tuple(sorted({*released, *newly_released})),
        tuple(notes),
        tuple(failed),
    )


def _measure_all(
    images: Sequence[PairedImage], spec: TrainSpec, skip_bad: bool
) -> tuple[list[tuple[PairedImage, Normalisation, Normalisation]], list[str], list[str]]:
    found, notes, failed = [], [], []
    for image in images:
        try:
            own = _measure(image.stack, spec, f"image {image.name}")
            theirs = own if image.target is None else _measure(image.target, spec, f"target of {image.name}")
        except AnnotrainError as error:
            if not skip_bad:
                raise
            notes.append(str(error))
            failed.append(image.name)
        else:
            found.append((image, own, theirs))
    if not found:
        raise AnnotrainError(f"None of the {len(images)} images can be trained on; {notes[0]}" if notes else NO_IMAGE)
    return found, notes, failed


NO_IMAGE = "There is no image to learn from: give at least one."


def _measure(stack: Stack, spec: TrainSpec, what: str) -> Normalisation:
    found = measure(stack, spec.normalise)
    if found.is_constant:
        raise AnnotrainError(
            f"The {what} has the same value everywhere: leave it out, or choose one in which something is to be seen."
        )
    return found


def _choose_range(
    images: Sequence[PairedImage], own: Sequence[Normalisation], theirs: Sequence[Normalisation], spec: TrainSpec
) -> tuple[tuple[tuple[float, float], ...], str]:
    """(low, high) of each channel of all targets, or nothing for the range of each image; and what is said of it."""
    if images[0].target is None:
        return (), ""
    same_channels = images[0].target.n_channels == images[0].stack.n_channels
    wanted = spec.image.target_range
    if wanted == "own" and not same_channels:
        raise AnnotrainError(
            f"The targets have {images[0].target.n_channels} channels but the images {images[0].stack.n_channels}, so "
            "they cannot share a range: choose the range auto or training."
        )
    if wanted == "own" or (wanted == "auto" and same_channels and _overlap(own, theirs) > SAME_RANGE):
        words = "Image and target have nearly the same range" if wanted == "auto" else "As asked"
        return (), f"{words}: results get the range of the image they are made from."
    shared = merge(list(theirs))
    words = ", ".join(f"{low:.4g} to {high:.4g}" for low, high in zip(shared.low, shared.high, strict=True))
    return tuple(zip(shared.low, shared.high, strict=True)), f"Results get the range of the targets, {words}."


def _overlap(own: Sequence[Normalisation], theirs: Sequence[Normalisation]) -> float:
    """Median over all images and channels of the share of the ranges of image and target that they have in common."""
    found = []
    for a, b in zip(own, theirs, strict=True):
        for i in range(len(a.low)):
            both = min(a.high[i], b.high[i]) - max(a.low[i], b.low[i])
            either = max(a.high[i], b.high[i]) - min(a.low[i], b.low[i])
            found.append(max(0.0, both) / either if either > 0 else 0.0)
    return float(np.median(found))


def _of_range(target_range: Sequence[tuple[float, float]]) -> Normalisation:
    low, high = zip(*target_range, strict=True)
    return Normalisation(low, high)


def _hold_out(
    images: Sequence[PairedImage], keys: Sequence[str], share: float, released: Collection[str]
) -> tuple[tuple[HeldOut, ...], tuple[str, ...], str]:
    """Validation blocks; the names of those that are trained on after all; and a sentence where there are too few."""
    chosen: dict[str, HeldOut] = {}
    total = 0
    for index, (image, key) in enumerate(zip(images, keys, strict=True)):
        _, _, n_z, height, width = image.stack.shape
        n_a_plane = -(-height // BLOCK) * -(-width // BLOCK)
        for plane in spread(image.stack.n_planes, max(1, MOST_BLOCKS_SEARCHED // len(images) // n_a_plane)):
            t, z = divmod(plane, n_z)
            blocks, n = held_out_blocks(key, t, z, (height, width), share, released)
            chosen |= {name: HeldOut(index, t, z, y, x) for name, (y, x) in blocks.items()}
            total += n
    if total >= FEWEST_BLOCKS and len(chosen) >= FEWEST_HELD_OUT:
        return tuple(chosen.values()), (), ""
    note = "The images are too small to keep some of them for validation: all of them is used for training."
    return (), tuple(sorted(chosen)), note


def _check_channels(stacks: Sequence[Stack], what: str) -> None:
    for stack in stacks:
        if stack.n_channels != stacks[0].n_channels:
            raise AnnotrainError(
                f"The {what} {stack.name} has {stack.n_channels} channels but {stacks[0].name} has "
                f"{stacks[0].n_channels}: train on {what}s with the same channels."
            )
