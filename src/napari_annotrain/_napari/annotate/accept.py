from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.annotate.pending import Pending
from napari_annotrain._napari.annotate.plane_edit import PlaneOf, free_id, plane_of, shown_plane
from napari_annotrain._napari.lasting import as_painted
from napari_annotrain._napari.viewer.arrays import as_tzyx
from napari_annotrain._napari.viewer.layers import complete_regions, label_axes
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain.data.accepting import accept_cells, accept_classes, accept_object
from napari_annotrain.data.annotation import BACKGROUND, CompleteRegion
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.objects.edits import Box, Edit

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Where to accept: all of the box, or what lies in the region.
Place = tuple[PlaneOf, Box, CompleteRegion | None]
#: Looked at around what is accepted, in px: a cell that reaches out of it may be painted there.
MARGIN_PX = 64
#: Side of the first window in which an object is looked for, in px; larger ones follow while it reaches out.
FIRST_WINDOW_PX = 256
NO_PREDICTION = "Nothing is predicted here yet: press What I see first (key W)."


class AcceptFlow:
    """The prediction becomes annotation, to be corrected: what is seen, a complete region, or one object."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller

    def here(self) -> None:
        """Accept what is predicted in the selected complete regions; without any, all that is seen."""
        c = self._c
        shown = shown_plane(c)
        places: list[Place] = [(plane_of(c, r.t, r.z), r.box(shown.shape), r) for r in self._selected(shown)]
        where = f"the complete region{'s' * (len(places) > 1)}" if places else "what you see"
        in_view = not places
        if in_view:
            places = [(shown, self._seen(), None)]
        pending, first = Pending(), free_id(c)
        next_id = first  # kept count of here: what is pending is in no layer yet
        for plane, box, region in places:
            next_id = self._accept(pending, plane, box, region, next_id)
        n = pending.write()
        if in_view:
            self._note(*places[0][:2])
        self._tell(n, next_id - first, where)

    def object_at(self, plane: PlaneOf, y: int, x: int) -> None:
        """Accept the predicted object at a pixel of a plane."""
        kind = self._kind()
        single_cells = kind == "cells"
        box = _around(y, x, FIRST_WINDOW_PX, plane.shape)
        while True:
            predicted, known = self._predicted(plane, box)
            seed = y - box[0].start, x - box[1].start
            if not known[seed]:
                raise AnnotrainError(NO_PREDICTION)
            if predicted[seed] == 0:
                self._c.say("The model sees background here: click on one of its objects.")
                return
            wider = _around(y, x, 2 * (box[0].stop - box[0].start), plane.shape)
            if wider == box or not _reaches_out(predicted == predicted[seed], box, plane.shape):
                break
            box = wider
        predicted = self._in_annotation_terms(predicted)
        own = plane.read(box)
        values = accept_object(own, predicted, seed, single_cells, free_id(self._c))
        self._tell(plane.write([Edit(box, values)]), 0, "the object")

    # -- parts --------------------------------------------------------------------------------------------------

    def _accept(self, pending: Pending, plane: PlaneOf, box: Box, region: CompleteRegion | None, next_id: int) -> int:
        """Accept what is predicted in a box of a plane, inside a region if there is one.

        New cells get ids from `next_id` on; the one that is next then.
        """
        kind = self._kind()
        wide = tuple(
            slice(max(s.start - MARGIN_PX, 0), min(s.stop + MARGIN_PX, n))
            for s, n in zip(box, plane.shape, strict=True)
        )
        around = (wide[0], wide[1])
        predicted, known = self._predicted(plane, around)
        where = np.zeros(known.shape, bool)
        if region is None:
            y, x = (slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, around, strict=True))
            where[y, x] = True
        else:
            inside = np.zeros(known.shape, np.int32)
            region.fill(inside, (around[0].start, around[1].start))
            where = inside == BACKGROUND
        where &= known
        if not where.any():
            raise AnnotrainError(NO_PREDICTION)
        predicted, own = self._in_annotation_terms(predicted), pending.read(plane, around)
        if kind == "classes":
            pending.put(plane, around, accept_classes(own, predicted, where))
            return next_id
        values = accept_cells(own, predicted, where, next_id)
        pending.put(plane, around, values)
        return max(int(values.max()) + 1, next_id)

    def _seen(self) -> Box:
        """What is seen of the plane in view."""
        c = self._c
        assert c.image is not None
        seen = region_of(c.roster.viewer, c.image, c.roster.axes(c.image))
        if seen is None:
            raise AnnotrainError(f"Nothing of {c.image.name} is in view: press Home to see all of it.")
        return seen[2], seen[3]

    def _note(self, plane: PlaneOf, box: Box) -> None:
        """Note what later models are compared with."""
        predicted, known = self._predicted(plane, box)
        if known.all():
            place = slice(plane.t, plane.t + 1), slice(plane.z, plane.z + 1), *box
            self._c.changes.accept(self._c.image, place, predicted[None, None])

    def _kind(self) -> str:
        """What the annotation holds: "classes" or "cells".

        Raises
        ------
        AnnotrainError
            What is predicted cannot become that.
        """
        layer = self._layer()
        shown = str(layer.metadata.get("annotrain"))
        target = self._c.session.target
        if target == "cells" and shown != "cells":
            raise AnnotrainError("You paint cells: choose Show cells in Predict and predict again, then accept.")
        n_classes = sum(value > 0 for value in self._c.session.class_names)
        if target == "classes" and shown != "classes" and (shown != "cells" or n_classes > 1):
            raise AnnotrainError("You paint classes: choose Show classes in Predict and predict again, then accept.")
        return str(target)

    def _in_annotation_terms(self, predicted: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Predicted cells are one class where classes are painted and there is only one."""
        shown = str(self._layer().metadata.get("annotrain"))
        return (
            (predicted > 0).astype(np.uint8) if shown == "cells" and self._c.session.target == "classes" else predicted
        )

    def _layer(self) -> Any:
        c = self._c
        layer = c.roster.result(c.image) if c.image is not None else None
        if layer is None:
            raise AnnotrainError(NO_PREDICTION)
        return layer

    def _predicted(self, plane: PlaneOf, box: Box) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """What is predicted in a box of a plane, (Y, X), and where that is something."""
        c, layer = self._c, self._layer()
        assert c.image is not None
        result = c.roster.known(layer)
        source = result.growing or as_tzyx(layer.data, label_axes(c.image, c.roster.axes(c.image)))
        t, z = slice(plane.t, plane.t + 1), slice(plane.z, plane.z + 1)
        return np.array(source[(t, z, *box)])[0, 0], result.filled.mask(plane.t, plane.z, box)

    def _selected(self, shown: PlaneOf) -> list[CompleteRegion]:
        """The complete regions that are selected, where their layer is the active one."""
        c = self._c
        assert c.image is not None
        shapes = c.roster.regions(c.image)
        if shapes is None or c.roster.viewer.layers.selection.active is not shapes:
            return []
        axes = label_axes(c.image, c.roster.axes(c.image))
        return list(complete_regions(shapes, shown.layer, axes, only=set(shapes.selected_data)))

    def _tell(self, n: int, cells: int, where: str) -> None:
        c = self._c
        c.roster.viewer.layers.selection.active = c.annotation  # so that Ctrl+Z takes it back
        if n == 0:
            c.say(f"Nothing to accept: all of {where} is annotated already.", as_long_as=as_painted(c))
            return
        c.session.accepted_px += n
        if c.session.target == "cells" and c.annotation is not None and c.annotation.selected_label > BACKGROUND:
            c.annotation.selected_label = free_id(c)  # what the brush held may be one of the accepted cells by now
        found = f"{cells:,} new cell{'s' * (cells != 1)}, " if cells else ""
        done = f"Accepted {where}: {found}{n:,} px with the background; what you painted stays."
        c.say(f"{done} Ctrl+Z takes it back.", as_long_as=as_painted(c))


def _around(y: int, x: int, side: int, shape: tuple[int, int]) -> Box:
    """A box of about this side around a pixel, inside the plane."""
    rows, columns = (slice(max(p - side // 2, 0), min(p + side // 2, n)) for p, n in zip((y, x), shape, strict=True))
    return rows, columns


def _reaches_out(mask: npt.NDArray[np.bool_], box: Box, shape: tuple[int, int]) -> bool:
    """Whether something in a box lies so near its edges that it may go on beyond, where the plane does."""
    near = np.zeros_like(mask)
    reach = 8  # more than the ring
    rows, columns = box
    near[: reach if rows.start > 0 else 0] = True
    near[mask.shape[0] - (reach if rows.stop < shape[0] else 0) :] = True
    near[:, : reach if columns.start > 0 else 0] = True
    near[:, mask.shape[1] - (reach if columns.stop < shape[1] else 0) :] = True
    return bool((near & mask).any())
