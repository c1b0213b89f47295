from dataclasses import dataclass

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.training import validate
from napari_annotrain.training.paired_score import PairedBlocks, collect_pairs

#: Held-out blocks that a network can be scored on.
Blocks = validate.ValidationSet | PairedBlocks


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

    dataset: AnnotatedDataset | PairedDataset
    held_out: Blocks | None
    cells: validate.ValidationSet | None

    @classmethod
    def of(cls, dataset: AnnotatedDataset | PairedDataset, net: NetSpec, spec: TrainSpec) -> "Shown":
        """Read the blocks of a dataset."""
        tiling, padded = geometry(net), net.padding == "same"
        if isinstance(dataset, PairedDataset):
            return cls(dataset, collect_pairs(dataset, tiling, padded, spec), None)
        cells = validate.collect(dataset, tiling, padded, everywhere=True) if dataset.distances else None
        return cls(dataset, validate.collect(dataset, tiling, padded), cells)
