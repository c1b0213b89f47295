"""Images whose cells are much larger or smaller than those a model knows are shown to it at another scale."""

from dataclasses import dataclass

from napari_annotrain.data.resampled import enlarge, needed, resample
from napari_annotrain.data.stack import Stack
from napari_annotrain.inference.planes import Values
from napari_annotrain.net.model import Card
from napari_annotrain.specs import PredictSpec
from napari_annotrain.tiles.grid import Box

#: Cells larger or smaller by no more than this are taken as they are: training has shown the network such changes.
TOLERANCE = 1.5
#: Images are neither reduced nor enlarged any further: there would be nothing more to be seen in them.
SMALLEST, LARGEST = 0.02, 4.0


@dataclass(frozen=True)
class Rescaled:
    """A region of an image, and what the network sees of it.

    Attributes
    ----------
    scale
        Pixels the network sees for one of the image.
    stack
        The image as the network sees it.
    box, seen
        (Y, X) slices of the region in the image, and of what is needed of `stack`.
    diameter_px
        Of the cells of this image, in its own pixels; None when not known.
    words
        What was done, in a sentence; empty when nothing was.
    """

    scale: float
    stack: Stack
    box: Box
    seen: Box
    diameter_px: float | None = None
    words: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the region."""
        y, x = (s.stop - s.start for s in self.box)
        return y, x

    def back(self, values: Values, part: Box) -> Values:
        """Values (..., Y, X) of `seen` at the scale of the image, for a part of the region, counted from its corner."""
        if self.scale == 1:
            return values[..., *part]
        y, x = (slice(p.start + s.start, p.stop + s.start) for p, s in zip(part, self.box, strict=True))
        return enlarge(values, self.seen, (y, x), self.scale, self.stack.shape[-2:])


def rescale(card: Card, stack: Stack, spec: PredictSpec, box: Box) -> Rescaled:
    """Choose the scale at which a model sees a region of an image: its own, unless the cells differ very much."""
    diameter = expected_diameter(card, stack, spec)
    scale = min(max(card.scale * factor_to(card, diameter), SMALLEST), LARGEST)
    if scale == 1:
        return Rescaled(1, stack, box, box, diameter)
    seen = resample(stack, scale)
    words = f"{stack.name} was {'reduced' if scale < 1 else 'enlarged'} to {scale:.0%} for the network"
    if diameter is not None and card.cell_diameters_px is not None:
        low, high = card.cell_diameters_px
        known = f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"
        words += f", because its cells are about {diameter:.0f} px wide and the model knows cells of {known} px"
    return Rescaled(scale, seen, box, needed(box, scale, seen.shape[-2:]), diameter, f"{words}; labels have full size.")


def expected_diameter(card: Card, stack: Stack, spec: PredictSpec) -> float | None:
    """Diameter of the cells of an image, in its pixels: as entered, or from the pixel sizes; None when not known."""
    if spec.cells.diameter_px is not None:
        return spec.cells.diameter_px
    theirs, ours = card.pixel_um.get("Y"), stack.pixel_um.get("Y")
    if card.cell_diameter_px is None or not theirs or not ours:
        return None
    return card.cell_diameter_px * theirs / ours


def factor_to(card: Card, diameter: float | None) -> float:
    """By how much to scale an image whose cells have this diameter, for a model; 1 where it nearly knows them.

    They get the diameter typical of the model, or where that is not known the nearest of those it knows.
    """
    if card.cell_diameters_px is None or diameter is None:
        return 1.0
    low, high = card.cell_diameters_px
    if low / TOLERANCE <= diameter <= high * TOLERANCE:
        return 1.0
    factor = (card.cell_diameter_px or min(max(diameter, low), high)) / diameter
    return min(max(factor, SMALLEST), LARGEST)
