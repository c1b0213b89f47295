from dataclasses import dataclass, replace

import torch

from napari_annotrain.training.state import Weights

#: With this many cells annotated, half of the weights is the anchor's. Chosen on images of sets that the anchor was
#: not trained on: with ten, ten cells forgot what many images have taught.
HALF_AT_CELLS = 30
#: The anchor's own good name counts as much as so many annotated cells. Chosen on training images of the same sets: one
#: dim cell that it missed would otherwise have thrown it away; with ten of a kind it does not know hardly any is kept.
GOOD_NAME_CELLS = 1


@dataclass(frozen=True, eq=False)
class Anchor:
    """A shipped model of which a share stays in every model that is trained from it.

    Fine-tuning on a few cells forgets what they do not show. The mean of the weights before and after, taken parameter
    by parameter, keeps both (Wortsman et al. 2022, Robust fine-tuning of zero-shot models, CVPR; section 3).

    Attributes
    ----------
    weights
        Of the shipped model; the same network as the one that is trained.
    share
        0: the trained weights as they are, 1: the shipped ones.
    agreement, n_cells
        Of the shipped model with what is annotated, 0 to 1; and how many cells said so.
    is_start
        Whether the training starts from these weights, and not from a model that has learnt more since.
    """

    weights: Weights
    share: float
    agreement: float = 1.0
    n_cells: int = 0
    is_start: bool = True

    def trusted(self, iou: float, n_cells: int) -> "Anchor":
        """Keep less of a model that agrees with less than three quarters of the annotation; half is no agreement.

        The fewer cells that says, the less it counts.

        Parameters
        ----------
        iou
            Mean intersection over union of the shipped model's classes with what is annotated.
        n_cells
            Annotated cells.
        """
        agreement = min(max(4 * iou - 2, 0.0), 1.0)
        return replace(self, share=share_for(n_cells, agreement), agreement=agreement, n_cells=n_cells)

    def is_known_after(self, n_cells: int) -> bool:
        """Whether its agreement with so many cells may be taken from those it was measured on."""
        return n_cells < 2 * self.n_cells

    def after(self, n_cells: int) -> "Anchor":
        """What is kept once so many cells are annotated, with which it agrees as before."""
        return replace(self, share=share_for(n_cells, self.agreement))

    @property
    def say(self) -> float:
        """How much its answers count where nothing is annotated, 0 to 1: what is kept, times its agreement.

        So one that is half wrong is asked about a quarter as loudly, and one that is wrong not at all.
        """
        return self.share * self.agreement

    def between(self, found: float, usual: float) -> float:
        """A setting between what the annotation suggests and what is usual, as the weights are."""
        return found + self.share * (usual - found)

    def hold(self, trained: Weights) -> Weights:
        """The weights between the trained ones and the anchor; what is counted in whole numbers stays as trained."""
        return {
            name: torch.lerp(tensor, self.weights[name].to(tensor), self.share)
            if tensor.is_floating_point()
            else tensor
            for name, tensor in trained.items()
        }


def share_for(n_cells: int, agreement: float = 1.0) -> float:
    """How much of the anchor to keep: all with nothing annotated, half with `HALF_AT_CELLS`, little with hundreds.

    Less where it does not agree with these cells (0 to 1).
    """
    trust = (GOOD_NAME_CELLS + n_cells * agreement) / (GOOD_NAME_CELLS + n_cells)
    return trust * HALF_AT_CELLS / (HALF_AT_CELLS + n_cells)
