"""The border weights of one plane, as training uses them at the image's own scale, to be looked at."""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage as ndi

from napari_annotrain.data.annotation import BACKGROUND, AnnotatedImage, Labels, PlaneBox
from napari_annotrain.data.areas import areas_of_plane
from napari_annotrain.data.weights import WeightMap, annotated_values, target_and_borders
from napari_annotrain.specs import Target, WeightSpec


@dataclass(frozen=True)
class BorderMap:
    """Border weights of the annotated parts of one plane; everywhere else they are 0.

    Attributes
    ----------
    t, z
        The plane.
    parts
        Box and (Y, X) weights of every annotated part. Boxes may overlap; where they do, all but one are 0.
    n_cells
        Painted cells; for classes separate pieces of paint that is not background. What lies in several parts counts
        several times.
    """

    t: int
    z: int
    parts: tuple[tuple[PlaneBox, WeightMap], ...] = field(default=(), repr=False)
    n_cells: int = 0

    @property
    def highest(self) -> float:
        """The largest weight of the plane."""
        return max((float(weight.max()) for _, weight in self.parts), default=0.0)


def border_map(image: AnnotatedImage, t: int, z: int, target: Target, spec: WeightSpec) -> BorderMap:
    """Border weights (the second term of equation 2 of Ronneberger et al. 2015) of every annotated pixel of a plane.

    Only what is annotated is read and computed.

    Raises
    ------
    AnnotrainError
        The annotation cannot be trained on: it has too many values for classes, say.
    """
    areas = list(areas_of_plane(image, t, z, target == "cells"))
    values = annotated_values([labels for _, labels in areas], target)
    parts = tuple((box, target_and_borders(labels, target, values, spec)[1]) for box, labels in areas)
    return BorderMap(t, z, parts, sum(_count(labels, target) for _, labels in areas))


def _count(labels: Labels, target: Target) -> int:
    painted = labels > BACKGROUND
    return len(np.unique(labels[painted])) if target == "cells" else int(ndi.label(painted)[1])
