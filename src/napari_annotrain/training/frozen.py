from collections.abc import Collection

import torch

from napari_annotrain.specs import Freeze

#: Parts of the network (`net.unet.UNet`) that make up its contracting path, and its last layer.
ENCODER, LAST = ("down", "halve", "bottom"), ("head",)


def freeze(network: torch.nn.Module, what: Freeze, drawn: Collection[str] = ()) -> None:
    """Keep parts of a network as they are: weights get no gradient, and batch statistics neither move nor are used.

    In frozen parts batch normalisation takes the statistics it was trained with, as in prediction.

    Parameters
    ----------
    network
        In training mode.
    drawn
        Names of weights that were not taken over from the model to start from: these learn, whatever is kept.
    """
    for name, part in network.named_children():
        kept = name in ENCODER if what == "encoder" else what != "none" and name not in LAST
        if kept and any(True for _ in part.parameters()):
            part.requires_grad_(False)
            part.eval()
    for name, weight in network.named_parameters():
        if name in drawn:
            weight.requires_grad_(True)
