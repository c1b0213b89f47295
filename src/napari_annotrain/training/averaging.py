import torch

from napari_annotrain.net.unet import UNet


@torch.no_grad()
def move_mean(mean: UNet, latest: UNet, share: float) -> None:
    """Move averaged weights by this share of the way to the latest; of whole numbers the latest are taken."""
    pairs = list(zip(mean.state_dict().values(), latest.state_dict().values(), strict=True))
    moved = [(a, b) for a, b in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in moved], [b for _, b in moved], share)
    for a, b in pairs:
        if not a.is_floating_point():
            a.copy_(b)
