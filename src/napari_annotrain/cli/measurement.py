from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from napari_annotrain.cli.outcomes import telling_where
from napari_annotrain.terminal import Progress


def measure(
    labels: str,
    image: str,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"])],
    rois: str | None = None,
    as_: Annotated[Literal["cells", "classes"], Parameter(name="--as")] = "cells",
    annotation: Annotated[bool, Parameter(negative="")] = False,
    also: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    axes: str | None = None,
) -> None:
    """Measure the objects of label images: size, shape, intensity, position.

    Parameters
    ----------
    labels
        Label file or folder; 0 is background.
    image
        Image file or folder: what was segmented.
    out
        Table to write (.csv): a row for each object and plane.
    rois
        Outlines for ImageJ's ROI Manager (.zip); for folders a folder, with a zip for each image.
    as_
        cells: objects; classes: a row for each class and plane.
    annotation
        The labels are painted ones: 1 is background, cells or classes are from 2 on.
    also
        A further image of the same size, or a folder of them, such as another channel: its intensities are measured
        too. Can be given several times.
    axes
        One letter of T, C, Z, Y, X for each dimension of the image.
    """
    from napari_annotrain.api.measurement import measure as measure_objects

    with telling_where(f"The table is in {out}."), Progress() as show:
        measure_objects(
            Path(labels),
            Path(image),
            kind=as_,
            axes=axes,
            annotation=annotation,
            also=[Path(one) for one in also],
            out=out,
            rois=rois,
            on_event=show,
        )
