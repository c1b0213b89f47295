"""The verbs that run for long: they show how far they are, and say at the end where the result is."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from napari_annotrain.cli.outcomes import telling_where
from napari_annotrain.specs import CellsSpec, ImageSpec, LossSpec, NetChoices
from napari_annotrain.terminal import Progress


def train(
    images: str,
    annotations: str | None = None,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"])],
    target: str = "classes",
    dense: bool = False,
    base: str = "none",
    preset: str = "fast",
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    axes: str | None = None,
    resume: bool = False,
    net: Annotated[NetChoices | None, Parameter(name="*", group="Network, where it differs from the preset's")] = None,
    learning_rate: str | None = None,
    schedule: str | None = None,
    freeze: str | None = None,
    patch: int | None = None,
    batch: int | None = None,
    loss: Annotated[LossSpec | None, Parameter(name="*", group="Loss, where it differs from the preset's")] = None,
    image: Annotated[ImageSpec | None, Parameter(name="*", group="Target image")] = None,
) -> None:
    """Train a model on annotated images, or on pairs of images.

    Parameters
    ----------
    images
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    annotations
        Annotation file or folder; 0 is not annotated, 1 background, 2, 3, ... classes or cells. For the target image
        the images to learn; left out where it is learnt from images alone (--learn-from).
    out
        Model file to write (.safetensors); the training state goes beside it.
    target
        classes, cells, or image (denoising, translation).
    dense
        The annotation is complete ground truth: 0 is background, n is class or cell n.
    base
        Model to start from: a file, the name of a shipped model, or none.
    preset
        fast, standard, paper, flat, fcn, segnet, resunet or denseunet.
    seconds
        Training time in seconds, reading excluded (60 if neither is given).
    steps
        Training steps; wins over seconds.
    seed
        Same seed and steps, same model.
    device
        auto, cpu, cuda or mps.
    axes
        One letter of T, C, Z, Y, X for each dimension of the images.
    resume
        Go on from the training state beside the model.
    learning_rate
        Step length of the optimiser, or auto: it is found first, in some hundred steps.
    schedule
        constant, cosine, one-cycle or plateau: the learning rate over time.
    freeze
        none, encoder or 'all but the last layer': what stays as it is in the model to start from.
    patch
        Side of the training patches in px.
    batch
        Patches a step.
    net
        What of the preset's network is chosen otherwise.
    """
    from napari_annotrain import api

    with telling_where(f"The model is in {out}."), Progress() as show:
        api.train(
            images,
            annotations,
            target=target,
            dense=dense,
            base=base,
            preset=preset,
            seconds=seconds,
            steps=steps,
            seed=seed,
            device=device,
            axes=axes,
            out=out,
            resume=resume,
            settings=only_given(
                learning_rate=learning_rate, schedule=schedule, freeze=freeze, patch=patch, batch=batch, loss=loss
            ),
            image=image,
            on_event=show,
            net=net,
        )


def only_given(**options: Any) -> dict[str, Any]:
    """Those that were given; of the loss only what was."""
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(given.get("loss"), LossSpec):
        given["loss"] = given["loss"].model_dump(exclude_unset=True)
    return given


def predict(
    model: str,
    input: str,  # noqa: A002 - the contract's word
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"])],
    output: str | None = None,
    tile: str = "auto",
    memory: str = "2GB",
    device: str = "auto",
    precision: str = "auto",
    scheduler: str | None = None,
    axes: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    augment: str = "none",
    uncertainty: str | None = None,
    samples: int = 16,
    cells: Annotated[CellsSpec | None, Parameter(name="*", group="Cells")] = None,
) -> None:
    """Predict an image, a stack or a folder of them.

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    input
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    out
        Result: .tif, .png or .zarr; a folder for a folder.
    output
        classes, cells, probabilities, uncertainty or image; what the model was trained for if not given.
    tile
        Side of the tiles in px, whole, or auto (what the memory holds). The result is the same.
    memory
        Most memory the process may use, such as 2GB.
    device
        auto, cpu, cuda or mps.
    precision
        auto, float32, bfloat16 or float16.
    scheduler
        Address of a dask cluster, or local:N.
    axes
        One letter of T, C, Z, Y, X for each dimension of the input.
    resume
        Finish what an interrupted run left: an OME-Zarr, or a folder image by image.
    overwrite
        Replace an OME-Zarr that is already there.
    augment
        none, flips or 'flips and turns': mean over mirrored and turned views, in 4 or 8 times the time.
    uncertainty
        Instead of labels: entropy, augmentation (spread over the views) or dropout (over networks drawn by dropout).
    samples
        How many networks are drawn by dropout.
    """
    from napari_annotrain import api

    with telling_where(f"The result is in {out}."), Progress() as show:
        api.predict(
            model,
            Path(input),
            output=output,
            tile=tile,
            memory=memory,
            device=device,
            precision=precision,
            axes=axes,
            out=out,
            scheduler=scheduler,
            resume=resume,
            overwrite=overwrite,
            augment=augment,
            uncertainty=uncertainty,
            samples=samples,
            cells=cells,
            on_event=show,
        )
