from dataclasses import dataclass

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.specs import NetSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.training import validate


@dataclass(frozen=True)
class Shown:
    """What is learnt from, and the blocks of it that the network is measured on.

    Attributes
    ----------
    held_out
        None where nothing is held out.
    cells
        For the threshold of cells; None where the target is another one.
    """

    dataset: AnnotatedDataset
    held_out: validate.ValidationSet | None
    cells: validate.ValidationSet | None

    @classmethod
    def of(cls, dataset: AnnotatedDataset, net: NetSpec) -> "Shown":
        """Read the blocks of a dataset."""
        tiling, padded = geometry(net), net.padding == "same"
        cells = validate.collect(dataset, tiling, padded, everywhere=True) if dataset.distances else None
        return cls(dataset, validate.collect(dataset, tiling, padded), cells)
