from typing import Annotated, Any

from cyclopts import Parameter

from napari_annotrain.cli.runs import only_given
from napari_annotrain.specs import NetChoices
from napari_annotrain.terminal import Progress


def tune(
    images: str,
    annotations: str,
    *,
    target: str = "classes",
    dense: bool = False,
    base: str = "none",
    preset: str = "fast",
    patch: int | None = None,
    batch: int | None = None,
    steps: int = 100,
    device: str = "auto",
    axes: str | None = None,
    sizes: bool = False,
    net: Annotated[NetChoices | None, Parameter(name="*", group="Network, where it differs from the preset's")] = None,
) -> None:
    """Find a learning rate for annotated images, or measure what training steps take on this computer.

    Parameters
    ----------
    images
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    annotations
        Annotation file or folder; 0 is not annotated, 1 background, 2, 3, ... classes or cells.
    target
        classes or cells.
    dense
        The annotation is complete ground truth: 0 is background, n is class or cell n.
    base
        Model to start from: a file, the name of a shipped model, or none.
    preset
        A network and the settings that suit it; docs/settings.md lists them.
    patch
        Side of the training patches in px.
    batch
        Patches a step.
    steps
        In how many steps the learning rate grows.
    device
        auto, cpu, cuda or mps.
    axes
        One letter of T, C, Z, Y, X for each dimension of the images.
    sizes
        Measure seconds and memory of a step with patches and batches of some sizes instead.
    net
        What of the preset's network is chosen otherwise.
    """
    from napari_annotrain import api

    given: dict[str, Any] = {
        "target": target,
        "dense": dense,
        "preset": preset,
        "device": device,
        "axes": axes,
        "net": net,
    }
    given["settings"] = only_given(patch=patch, batch=batch)
    with Progress() as show:
        if sizes:
            measured = api.measure_batches(images, annotations, **given, on_event=show)
        else:
            curve = api.find_learning_rate(images, annotations, base=base, steps=steps, **given, on_event=show)
    if not sizes:
        print(f"--learning-rate {curve.rate:g}  ({curve})")
        return
    for cost in measured.costs:
        print(cost)
    best = measured.proposed
    print("No size fits into the free memory." if best is None else f"--patch {best.patch} --batch {best.batch}")
