"""Learning without a target: images are made worse, or some of their pixels hidden."""

import torch

from napari_annotrain.specs import ImageSpec


def corrupt(
    images: torch.Tensor, known: torch.Tensor, spec: ImageSpec, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network sees instead of the images, and the weight of the pixels it is compared at.

    Parameters
    ----------
    images
        (B, C, Y, X) float32, normalised.
    known
        (B, 1, Y, X) 1 where the image is known, else 0.
    generator
        On the images' device; the same state gives the same result.

    Returns
    -------
    (B, C, Y, X) images and (B, 1, Y, X) weights.
    """
    if spec.learn_from == "corrupted":
        return make_worse(images, spec, generator), known
    if spec.learn_from == "noise2void":
        return hide_pixels(images, known, spec, generator)
    return images, known


def make_worse(images: torch.Tensor, spec: ImageSpec, generator: torch.Generator) -> torch.Tensor:
    """Add Gaussian noise and set a share of the pixels to black (Vincent et al. 2008, sections 2.3 and 4.1)."""
    worse = images + spec.corrupt_noise * _random(torch.randn, images, images.shape[1], generator)
    if spec.corrupt_masked:
        worse = worse * (_random(torch.rand, images, 1, generator) >= spec.corrupt_masked)
    return worse


def hide_pixels(
    images: torch.Tensor, known: torch.Tensor, spec: ImageSpec, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give a share of the pixels the value of a random neighbour (Krull, Buchholz, Jug 2019, section 3.3).

    The network is compared with the hidden values there and nowhere else. Where noise is independent from pixel to
    pixel it cannot be told from the neighbours, so that what is learnt is the image without it. A neighbour beyond the
    border is taken from the other side, so that it never is the pixel itself.
    """
    b, c, height, width = images.shape
    hidden = _random(torch.rand, images, 1, generator) < spec.hidden
    side = 2 * spec.hidden_radius_px + 1
    # all places of the square but its middle
    place = (_random(torch.rand, images, 1, generator) * (side**2 - 1)).long().clamp(max=side**2 - 2)
    place = place + (place >= side**2 // 2)
    dy, dx = place // side - spec.hidden_radius_px, place % side - spec.hidden_radius_px
    y = torch.arange(height, device=images.device).view(1, 1, -1, 1)
    x = torch.arange(width, device=images.device).view(1, 1, 1, -1)
    index = ((y + dy) % height * width + (x + dx) % width).view(b, 1, -1).expand(-1, c, -1)
    neighbours = images.reshape(b, c, -1).gather(2, index).view_as(images)
    return torch.where(hidden, neighbours, images), known * hidden


def _random(draw: object, images: torch.Tensor, channels: int, generator: torch.Generator) -> torch.Tensor:
    shape = (len(images), channels, *images.shape[-2:])
    return draw(shape, generator=generator, device=images.device)  # type: ignore[operator,no-any-return]
