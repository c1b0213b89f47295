"""What a shipped model knows is kept where nothing is annotated, and for cells of other sizes than annotated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import interpolate, pad

from napari_annotrain.net.device import autocast
from napari_annotrain.net.unet import UNet

#: Besides a batch, half of its patches are shown again, enlarged or shrunk by a factor between these.
SIZES = (0.5, 4.0)
#: A model whose say is less than this is not asked: that costs nearly as much time as the step itself.
LEAST_SAY = 0.2
#: How much what a shipped model says counts against the annotation. Chosen on training images of DSB 2018, with a base
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
    def answer(self, images: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        """The (B, K, Y', X') float32 scores of the shipped model for (B, C, Y, X) images."""
        with autocast(images.device, precision):
            scores: torch.Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        return scores.float()

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


def differ(
    scores: torch.Tensor, known: torch.Tensor, counts: torch.Tensor, n_classes: int, distance_share: float
) -> torch.Tensor:
    """How far a network's answers lie from the shipped model's, summed over pixels.

    The Kullback-Leibler divergence of the classes (the cross-entropy of Hinton et al. 2015, equation 2, at a
    temperature of 1, less what no network can learn), and half the squared error of the distance maps.

    Parameters
    ----------
    scores, known
        (B, K, Y, X) of the network that learns and of the shipped one.
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


def n_resized(batch: int) -> int:
    """So many patches of other sizes are shown beside a batch."""
    return -(-batch // 2)


def resize(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Show half of the (B, C, P, P) patches, drawn at random, at another size; mirrored where they become too small.

    Also what is annotated in them: not to ask where the annotation contradicts the shipped model changed little on
    training images of DSB 2018.

    Of Apple's GPUs the processor does this, as older torch cannot smooth there what it shrinks.

    Returns
    -------
    (`n_resized`, C, P, P); the logarithm of the factor is drawn evenly.
    """
    side, made = images.shape[-1], []
    for i in rng.permutation(len(images))[: n_resized(len(images))]:
        factor, patch = float(np.exp(rng.uniform(*np.log(SIZES)))), images[i : i + 1]
        patch = patch.cpu() if images.device.type == "mps" else patch
        if factor < 1:
            edge = int(side * (1 / factor - 1) / 2)  # at most half of the side
            wide = pad(patch, (edge,) * 4, mode="reflect")
            made.append(interpolate(wide, (side, side), mode="bilinear", antialias=True, align_corners=False))
        else:
            part = max(1, int(side / factor))
            y, x = rng.integers(0, side - part + 1, 2)
            narrow = patch[..., y : y + part, x : x + part]
            made.append(interpolate(narrow, (side, side), mode="bicubic", align_corners=False))
    return torch.cat(made).to(images.device)
