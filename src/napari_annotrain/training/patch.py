from napari_annotrain.specs import NetSpec
from napari_annotrain.tiles.geometry import geometry, output_size


def patch_sizes(net: NetSpec, patch: int) -> tuple[int, slice]:
    """Side of the network's input for patches of this side, and where its output lies in it."""
    if net.padding == "same":
        size = geometry(net).round_up(patch)
        return size, slice(0, size)
    size = geometry(net).read_size(patch)
    lost = (size - (output_size(net, size) or 0)) // 2
    return size, slice(lost, size - lost)
