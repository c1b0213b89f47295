"""What a shipped model knows is kept where nothing is annotated, and for cells of other sizes than annotated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from napari_annotrain.net.device import answer
from napari_annotrain.net.unet import UNet

#: Who has less say than this is not asked: that costs a fifth of a step, nearly a whole one with other sizes.
LEAST_SAY = 0.2
#: How much what is said without annotation counts against it. Chosen on training images of DSB 2018, with a base
#: that has not seen them: with 1, ten cells cost up to 0.02 of AP50, with 4 up to 0.01 (while patches of other sizes
#: still shared the batch statistics).
HOLD = 4.0
#: How fast weights are pulled back to the shipped model's, by the learning rate of AdamW. Chosen on training images of
#: DSB 2018: with 15, ten cells of the second draw still fell from 0.75 to 0.64 between 150 and 600 steps.
PULL = 50.0


@dataclass(frozen=True, eq=False)
class Teacher:
    """A shipped model whose answers are the target where there is no annotation (Li and Hoiem 2016).

    Ten small cells of one image say nothing of large ones, and what a network has learnt of those is lost within a
    minute. So the network is shown its patches enlarged and shrunk as well, and answers there, and wherever nothing
    is annotated, as the shipped model does: Learning without Forgetting, ECCV, section 3, with images of other sizes
    in the place of other tasks.

    Attributes
    ----------
    network
        The shipped model, in evaluation mode and without gradients.
    """

    network: UNet

    @torch.no_grad()
    def pull(self, network: UNet, share: float) -> None:
        """Move the trainable weights of a network by this share of the way to the shipped model's.

        A weight decay towards what was learnt before instead of towards zero, as in L2-SP (Li, Grandvalet and Davoine
        2018, Explicit inductive bias for transfer learning with convolutional networks, ICML, equation 2), before the
        step and apart from its gradient as in AdamW. So a network goes no farther from there in an hour than in some
        minutes.
        """
        pairs = zip(network.parameters(), self.network.parameters(), strict=True)
        learning = [(ours, theirs) for ours, theirs in pairs if ours.requires_grad]
        torch._foreach_lerp_([ours for ours, _ in learning], [theirs for _, theirs in learning], share)


@torch.no_grad()
def ask(network: UNet, images: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
    """The (B, K, Y', X') float32 scores that a network has for (B, C, Y, X) images, to learn from."""
    return answer(network, images, precision).float()


def differ(
    scores: torch.Tensor, known: torch.Tensor, counts: torch.Tensor, n_classes: int, distance_share: float
) -> torch.Tensor:
    """How far a network's answers lie from those that it is to keep to, summed over pixels.

    The Kullback-Leibler divergence of the classes (the cross-entropy of Hinton et al. 2015, equation 2, at a
    temperature of 1, less what no network can learn), and half the squared error of the distance maps.

    Parameters
    ----------
    scores, known
        (B, K, Y, X) of the network that learns and of the one that is asked.
    counts
        (B, Y, X) bool; whether the answer for a pixel counts.
    n_classes
        So many of the K maps are classes; the others are distance maps.
    distance_share
        How much distance maps count against the classes.
    """
    scores = scores.float()
    right, told = known[:, :n_classes].log_softmax(1), scores[:, :n_classes].log_softmax(1)
    far = (right.exp() * (right - told)).sum(1)
    far = far + distance_share / 2 * (scores[:, n_classes:] - known[:, n_classes:]).square().sum(1)
    return (far * counts).sum()


@contextmanager
def as_in_prediction(network: UNet) -> Iterator[None]:
    """Let a network that learns normalise by its running statistics, which stay as they are, and drop nothing out."""
    learning = [part for part in network.modules() if part.training]  # frozen parts are not
    network.eval()
    try:
        yield
    finally:
        for part in learning:
            part.training = True
