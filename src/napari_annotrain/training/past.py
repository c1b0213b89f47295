"""What a network has said before is kept where nothing is annotated, however long it trains."""

import copy
from dataclasses import dataclass

from napari_annotrain.net.unet import UNet
from napari_annotrain.training.averaging import move_mean

#: Later weights count more in the mean, which so lies a third of the training behind.
ETA = 1
#: What it has said counts more and more, from here on as much as what is said by a shipped model that is kept whole.
#: Chosen on training images: at once, ten cells of DSB 2018 had an AP50 of 0.35 after 350 steps instead of 0.50.
STEPS_TO_FULL_SAY = 1000


@dataclass(eq=False)
class Past:
    """The mean of what a network was since the annotation last changed, asked where nothing is annotated.

    Ten cells say little of the rest of an image, and in a long training the rest becomes anything: every speck a cell.
    So the network stays near what it said there before, as in a mean teacher (Tarvainen and Valpola 2017, NeurIPS,
    section 2), but one that is far behind however long the training: the polynomial-decay average of Shamir and Zhang
    (2013, Stochastic gradient descent for non-smooth optimization, ICML, section 4).

    Attributes
    ----------
    network
        In evaluation mode and without gradients.
    since
        Steps that were taken before the first one it knows of.
    """

    network: UNet
    since: int = 0

    @classmethod
    def of(cls, average: UNet) -> "Past":
        """Nothing yet, of a network that begins with these weights."""
        return cls(copy.deepcopy(average).eval().requires_grad_(False))

    def forget(self, step: int) -> None:
        """Begin anew with this step: what was said before may be what has just been corrected."""
        self.since = step

    def follow(self, average: UNet, step: int) -> None:
        """Add the weights after so many steps, more than `since`, to the mean."""
        move_mean(self.network, average, (ETA + 1) / (step - self.since + ETA))

    def say(self, step: int) -> float:
        """How much its answers count in the step after so many, 0 to 1; a fifth after 450, next to nothing earlier."""
        return min(1.0, (step - self.since) / STEPS_TO_FULL_SAY) ** 2
