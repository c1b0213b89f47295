from dataclasses import dataclass, replace

import torch

from napari_annotrain.training.state import Weights

#: With this many cells annotated, half of the weights is the anchor's. Chosen on images of sets that the anchor was
#: not trained on: with ten, ten cells forgot what many images have taught.
HALF_AT_CELLS = 30


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
    """

    weights: Weights
    share: float

    def trusted(self, iou: float) -> "Anchor":
        """Keep less of a model that agrees with less than three quarters of the annotation, nothing below a half.

        Parameters
        ----------
        iou
            Mean intersection over union of the shipped model's classes with what is annotated.
        """
        return replace(self, share=self.share * min(max(4 * iou - 2, 0.0), 1.0))

    def hold(self, trained: Weights) -> Weights:
        """The weights between the trained ones and the anchor; what is counted in whole numbers stays as trained."""
        return {
            name: torch.lerp(tensor, self.weights[name].to(tensor), self.share)
            if tensor.is_floating_point()
            else tensor
            for name, tensor in trained.items()
        }


def share_for(n_cells: int) -> float:
    """How much of the anchor to keep: all with nothing annotated, half with `HALF_AT_CELLS`, little with hundreds."""
    return HALF_AT_CELLS / (HALF_AT_CELLS + n_cells)
