from typing import Any

from napari_annotrain.api.sources import Source, annotated_image
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import AugmentSpec, Target, check_choice, find_preset
from napari_annotrain.training.preview import AugmentationPreview, preview_deformed


def preview_augmentation(
    image: Source,
    annotation: Source,
    target: str = "classes",
    dense: bool = False,
    augment: AugmentSpec | None = None,
    preset: str = "fast",
    patch: int | None = None,
    place: tuple[int, int, int, int] | None = None,
    n: int = 9,
    seed: int = 0,
    axes: str | None = None,
) -> AugmentationPreview:
    """Show what training makes of an annotated place, and whether gaps between cells survive it.

    Parameters
    ----------
    image, annotation
        An array or the path of a file each, as for `train`.
    augment
        How images are deformed; as in the preset if None.
    patch
        Side of the pictures, in px; as in the preset if None.
    place
        (t, z, y, x) of the middle, in px; None for a gap between neighbouring cells.
    n
        Pictures, of which the first is not deformed; at least 2.

    Returns
    -------
    `images` is (N, Y, X, 3) uint8; `n_gaps`, `n_closed` and `in_words()` tell of the gaps.
    """
    check_choice("target", target, Target)
    if n < 2:
        raise AnnotrainError(f"{n} pictures show nothing deformed: ask for at least 2.")
    changes: dict[str, Any] = {"seed": seed}
    changes |= {"augment": augment} if augment is not None else {}
    changes |= {"patch": patch} if patch is not None else {}
    spec = find_preset(preset).train.model_copy(update=changes)
    opened = annotated_image(image, annotation, axes, dense)
    return preview_deformed(opened, target, spec, place=place, n=n)  # type: ignore[arg-type]
