import torch

from napari_annotrain.specs import NetSpec

#: What a step takes a pixel of its patches: so many numbers for each convolution and feature map of the top level, in
#: the network's precision; what it takes besides, in bytes; and the floats a weight (itself, average, past,
#: gradient, momenta). Fitted to peak resident sizes, widths 16 to 64, patches 128 to 512.
NUMBERS_PER_MAP, BESIDES, FLOATS_PER_WEIGHT = 19.0, 100_000_000, 7
#: Share of the memory that is free that training may take; the window and other programs live on the rest.
SHARE = 0.6
#: How much more blocks take than plain ones: what is added is kept, or all that was read at each step. Of the numbers
#: above plain blocks were seen to need 12.4, residual ones 15.8, dense ones of one to four convolutions 40.4 to 14.6;
#: networks that halve nothing 16.2.
BLOCKS = {"plain": 1.0, "residual": 1.5, "dense": 2.5}


def choose_parts(net: NetSpec, n_weights: int, patch: int, batch: int, precision: torch.dtype, free: float) -> int:
    """In how many parts a batch must go through the network, for each to fit into so many free bytes.

    The smallest power of two, at most one patch a part: smaller parts may not fit either, but there are none.
    """
    parts = 1
    while parts < batch and step_memory(net, n_weights, patch, -(-batch // parts), precision) > SHARE * free:
        parts *= 2
    return parts


def step_memory(net: NetSpec, n_weights: int, patch: int, batch: int, precision: torch.dtype) -> float:
    """Bytes, reckoned, of a step in which so many patches of this side, in px, go through the network at once."""
    a_patch = precision.itemsize * NUMBERS_PER_MAP * net.convolutions * net.width * patch**2 * BLOCKS[net.block]
    if net.down == "none":  # every block at full size; the numbers were fitted to three of them
        a_patch *= max(1.0, (1 + net.depth) / 3)
    return batch * a_patch + BESIDES + 4 * FLOATS_PER_WEIGHT * n_weights
