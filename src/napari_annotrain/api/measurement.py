from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_annotrain.api.failures import Failures, left_out
from napari_annotrain.api.outcome import result_of
from napari_annotrain.api.sources import Source, is_path, one_stack
from napari_annotrain.data.pairs import is_folder, pair_files, stem
from napari_annotrain.data.places import check_place, check_way
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Note, OnEvent
from napari_annotrain.measurement import Kind, Table, iter_measurement, iter_rois, join, no_objects, write_table
from napari_annotrain.measurement.rois import check_rois_place
from napari_annotrain.measurement.table import check_table_place

Out = str | Path | None


def measure(
    labels: Source,
    image: Source,
    kind: Kind = "cells",
    axes: str | None = None,
    annotation: bool = False,
    also: Sequence[Source] = (),
    out: Out = None,
    rois: Out = None,
    on_event: OnEvent | None = None,
) -> Table:
    """Measure the objects of label images: size, shape, intensity and position, a row for each object and plane.

    Parameters
    ----------
    labels
        Label array (0 = background), path of a file, or a folder.
    image
        What was segmented: an array of the same size, the path of a file, or a folder whose stems match.
    kind
        ``"cells"``, or ``"classes"``: a row for each class and plane.
    axes
        One letter of T, C, Z, Y, X for each dimension of the image.
    annotation
        The labels are painted ones: 1 is background, cells or classes are from 2 on.
    also
        Further images of the same size, or folders of them, whose intensities are measured too. Then the columns of
        intensities bear the names of the files; for folders those of the folders.
    out
        Where the table is written, .csv.
    rois
        Where outlines for ImageJ are written: .zip; for folders a folder, with a zip for each image.
    on_event
        Called with `Measured` while it goes on, and with a `Note` on what was left out.

    Returns
    -------
    The table, a mapping from the names of the columns (see `napari_annotrain.measurement.columns`) to numpy arrays.
    For folders its first column is ``image``.

    Raises
    ------
    AnnotrainError
        Shapes do not fit, labels are no whole numbers, there is no object at all, or a file cannot be read or written.
    PartlyDone
        In folders, the same for some of the files; `result` is the table of the others.
    """
    if kind not in ("cells", "classes"):
        raise AnnotrainError(f"'{kind}' cannot be measured: choose cells or classes.")
    if out is not None:
        check_place(check_table_place(out))
        check_way(Path(out), store=False, overwrite=True)
    one = _One(kind, axes, annotation, on_event)
    if not (is_path(labels) and is_path(image)):
        return one.finish(one.measure(_Sources(labels, image, tuple(also)), rois), out)
    pairs, notes = pair_files(image, labels, ("image", "label image"))
    for text in notes:
        one.note(text)
    others = [(_name_of(source), _partners(image, source)) for source in also]
    if len(pairs) == 1:
        alone = _Sources(pairs[0][1], pairs[0][0], tuple(found.get(pairs[0][0]) for _, found in others))
        return one.finish(one.measure(alone, rois), out)
    names = [Path(image).name, *(name for name, _ in others)]
    every = [_Sources(b, a, tuple(found.get(a) for _, found in others), names if also else ()) for a, b in pairs]
    return one.measure_all(every, out, rois)


@dataclass(frozen=True)
class _Sources:
    """What is measured of one image; `names` are those of the columns, if not the images' own."""

    labels: Source
    image: Source
    also: tuple[Source, ...] = ()
    names: Sequence[str] = ()

    def opened(self, axes: str | None) -> tuple[Stack, Stack, list[Stack]]:
        """Labels, image, further images; labels of the image's shape have its axes, whatever their file says."""
        image = one_stack(self.image, axes)
        labels = one_stack(self.labels, None, "labels", labels=True)
        if tuple(labels.array.shape) == image.label_shape:
            labels = Stack(labels.array, image.label_axes, labels.name, labels.pixel_um)
        also = []
        for k, source in enumerate(self.also):
            if source is None:
                raise AnnotrainError(f"{image.name} has no partner in {self.names[k + 1]}: put one of its name there.")
            other = one_stack(source, axes if is_path(source) else None, f"image {k + 2}")
            if other.array.shape == image.array.shape:
                other = replace(other, axes=image.axes)
            also.append(other)
        if self.names:
            image, *also = (replace(one, name=name) for one, name in zip([image, *also], self.names, strict=True))
        return labels, image, also


def _partners(image: Source, source: Source) -> dict[Path, Path]:
    """Which further image belongs to which image."""
    if not is_path(source):
        raise AnnotrainError("The images are files, but a further one is an array: give its path, too.")
    return dict(pair_files(image, source, ("image", "further image"))[0])


def _name_of(source: Source) -> str:
    return Path(source).name if is_path(source) and is_folder(source) else stem(source) if is_path(source) else ""


class _One:
    """How one image is measured, as each of many."""

    def __init__(self, kind: Kind, axes: str | None, annotation: bool, on_event: OnEvent | None) -> None:
        self._kind, self._axes, self._annotation = kind, axes, annotation
        self._tell: OnEvent = on_event or (lambda event: None)
        self.note: Callable[[str], None] = lambda text: self._tell(Note(text))

    def measure(self, sources: _Sources, rois: Out, empty: bool = False) -> Table:
        """Measure one image and write its ROIs; only with `empty` it may have no objects."""
        if rois is not None:
            check_place(check_rois_place(rois))
        labels, image, also = sources.opened(self._axes)
        table: Table = result_of(iter_measurement(labels, image, self._kind, self._annotation, also), self._tell)
        if not table.n_rows:
            if not empty:
                raise AnnotrainError(no_objects(labels.name))
            self.note(no_objects(labels.name))
        elif rois is not None:
            for event in iter_rois(rois, labels, image.n_channels, self._kind, self._annotation):
                self._tell(event)
        return table

    def measure_all(self, every: Sequence[_Sources], out: Out, rois: Out) -> Table:
        """Measure the images of a folder."""
        if rois is not None and Path(rois).suffix.lower() == ".zip":
            raise AnnotrainError(f"{rois} is one file, but there are several images: name a folder for their ROIs.")
        failures = Failures(self.note)
        tables = {}
        for sources in every:
            name = stem(sources.image)
            with failures.noting(Path(sources.image).name):
                own = None if rois is None else Path(rois) / f"{name}.zip"
                tables[name] = self.measure(sources, own, empty=True)
        sentence = left_out(failures.names, len(every), "images could not be measured")
        if not tables:
            raise AnnotrainError(sentence)
        table = join(tables)
        if not table.n_rows:
            raise AnnotrainError("There is no object in any of the label images: all of them are background.")
        table = self.finish(table, out)
        if failures.names:
            raise PartlyDone(sentence, table)
        return table

    def finish(self, table: Table, out: Out) -> Table:
        """Write the table, where that is asked for."""
        if out is not None:
            write_table(out, table)
        return table
