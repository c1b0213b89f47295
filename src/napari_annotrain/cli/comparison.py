from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from napari_annotrain.specs import ImageSpec
from napari_annotrain.terminal import Progress

if TYPE_CHECKING:
    from napari_annotrain.api.comparison import Comparison, Contender
    from napari_annotrain.events import Event


def compare(
    images: str,
    annotations: str | None = None,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"])],
    specs: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ("fast", "standard"),
    target: str = "classes",
    dense: bool = False,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    axes: str | None = None,
    image: Annotated[ImageSpec | None, Parameter(name="*", group="Target image")] = None,
) -> None:
    """Train several networks on the same annotation, or the same images, for the same time, and compare them.

    Parameters
    ----------
    images
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    annotations
        Annotation file or folder; 0 is not annotated, 1 background, 2, 3, ... classes or cells. For the target image
        the images to learn; left out where it is learnt from images alone (--learn-from).
    out
        Folder for a model of each, compare.csv (the table) and compare.json (the curves, too).
    specs
        Two or more: names of presets or of models to start from, also with other settings:
        --specs fast fast:width=32,learning_rate=0.001 cells-2d.
    target
        classes, cells, or image (denoising, translation).
    dense
        The annotation is complete ground truth: 0 is background, n is class or cell n.
    seconds
        Training time of each in seconds, reading excluded (60 if neither is given).
    steps
        Training steps of each; wins over seconds.
    seed
        Of all of them.
    device
        auto, cpu, cuda or mps.
    axes
        One letter of T, C, Z, Y, X for each dimension of the images.
    """
    from napari_annotrain import api
    from napari_annotrain.api.comparison import Comparison

    found = Comparison()
    try:
        with Progress() as show:

            def tell(event: "Event") -> None:
                found.take(event)
                show(event)

            api.compare(
                images,
                annotations,
                specs=specs,
                target=target,
                dense=dense,
                seconds=seconds,
                steps=steps,
                seed=seed,
                device=device,
                axes=axes,
                out=out,
                image=image,
                on_event=tell,
            )
    finally:  # also of what was interrupted
        if any(one.model is not None for one in found.contenders):
            _print_table(found)
            print(found.verdict())
            print(f"The models, compare.csv and compare.json are in {out}.")


def _print_table(found: "Comparison") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Candidate", no_wrap=False)
    judged = found.contenders[0].measure
    for title in ("Score" if judged == "IoU" else judged, "Time", "Steps", "Parameters", "Reach", "Memory*"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in found.contenders:
        table.add_row(*_row(one, one is found.best))
    console = Console(markup=False, highlight=False, emoji=False)
    console.print(table)
    console.print("* of training, reckoned from the network and its patches, not measured", soft_wrap=True)


def _row(one: "Contender", is_best: bool) -> tuple[str, ...]:
    score = "failed" if one.failed else one.score_words or "–"
    return (
        f"{one.name} (best)" if is_best else one.name,
        score,
        f"{one.seconds:.1f} s",
        f"{one.steps:,}",
        f"{one.parameters:,}",
        f"{one.reach_px} px",
        f"{one.memory_bytes / 1e6:,.0f} MB",
    )
