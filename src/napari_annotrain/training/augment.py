"""Elastic deformation and intensity changes: drawn first, then applied, so that any of them can be replayed."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from napari_annotrain.specs import AugmentSpec

#: Displacements of the coarse grid are cut off at this many standard deviations, so that windows stay bounded.
MOST_SIGMAS = 2.5
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """What was drawn for one batch of B patches; applying it twice gives the same batch twice.

    Attributes
    ----------
    coarse
        (B, 2, k, k) displacements (y, x) of the coarse grid, in px.
    matrix
        (B, 2, 2) rotation, scale and flip: a step in the patch to a step in the image, in (y, x).
    gain, shift, gamma, noise
        (B,) changes of intensity, in units of the intensity range.
    noise_seed
        Of the noise itself.
    """

    coarse: Array
    matrix: Array
    gain: Array
    shift: Array
    gamma: Array
    noise: Array
    noise_seed: int


def window_size(spec: AugmentSpec, patch: int) -> int:
    """Side of the window that a patch of this side, however deformed, is sampled from; both odd or both even."""
    reach = patch / 2 * (sqrt(2) if spec.rotate_deg else 1) * spec.scale + MOST_SIGMAS * spec.elastic_px
    size = 2 * ceil(reach)
    return patch if not (spec.rotate_deg or spec.elastic_px or spec.scale > 1) else size + (size - patch) % 2


def draw(rng: np.random.Generator, spec: AugmentSpec, batch: int, patch: int) -> Augmentation:
    """Draw the augmentation of one batch.

    Displacements of the coarse grid are Gaussian (section 3.1 of Ronneberger et al. 2015: 10 px on a 3 x 3 grid);
    angle and log scale are uniform, flips toss a coin.
    """
    knots = _knots(spec, patch)
    coarse = rng.normal(0, 1, (batch, 2, knots, knots)).clip(-MOST_SIGMAS, MOST_SIGMAS) * spec.elastic_px
    angle = np.deg2rad(rng.uniform(-1, 1, batch) * spec.rotate_deg)
    scale = spec.scale ** rng.uniform(-1, 1, batch)
    flip = np.where(rng.random((batch, 2)) < 0.5 * spec.flip, -1.0, 1.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    uniform = rng.uniform(-1, 1, (3, batch))
    return Augmentation(
        coarse.astype(np.float32),
        (rotation * (scale[:, None] * flip)[:, None, :]).astype(np.float32),
        (1 + spec.contrast * uniform[0]).astype(np.float32),
        (spec.brightness * uniform[1]).astype(np.float32),
        (spec.gamma ** uniform[2]).astype(np.float32),
        (spec.noise * rng.random(batch)).astype(np.float32),
        int(rng.integers(2**62)),
    )


def apply(
    drawn: Augmentation, spec: AugmentSpec, patch: int, images: torch.Tensor, maps: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Deform windows into patches, images and maps by the same field, and change the images' intensity.

    Parameters
    ----------
    images
        (B, C, S, S) float32 windows, S from `window_size`; sampled bilinearly.
    maps
        (B, M, S, S) float32 label and weight maps; sampled at the nearest pixel, so that no value is ever mixed.

    Returns
    -------
    (B, C, patch, patch) images and (B, M, patch, patch) maps.
    """
    grid = _sampling_grid(drawn, spec, patch, images.shape[-1], images.device)
    labels = grid_sample(maps, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return change_intensity(drawn, _sample(images, grid)), labels


def deform(drawn: Augmentation, spec: AugmentSpec, patch: int, images: torch.Tensor) -> torch.Tensor:
    """The same deformation of (B, C, S, S) images, whose intensity stays as it is."""
    return _sample(images, _sampling_grid(drawn, spec, patch, images.shape[-1], images.device))


def _sample(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    return grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _sampling_grid(drawn: Augmentation, spec: AugmentSpec, patch: int, size: int, device: torch.device) -> torch.Tensor:
    """(B, patch, patch, 2) sampling positions (x, y) in -1 .. 1 of the window, as grid_sample wants them."""
    at = torch.arange(patch, dtype=torch.float32, device=device) - (patch - 1) / 2
    straight = torch.stack(torch.meshgrid(at, at, indexing="ij"))  # (2, P, P) as y, x
    position = torch.einsum("bij,jyx->biyx", torch.from_numpy(drawn.matrix).to(device), straight)
    if spec.elastic_px:
        spline = _bicubic(patch, spec.elastic_spacing_px, _knots(spec, patch)).to(device)
        position += torch.einsum("yk,bikl,xl->biyx", spline, torch.from_numpy(drawn.coarse).to(device), spline)
    return (position * (2 / size)).flip(1).permute(0, 2, 3, 1)


def change_intensity(drawn: Augmentation, patches: torch.Tensor) -> torch.Tensor:
    """Change contrast, brightness, gamma and noise of (B, C, P, P) patches as it was drawn."""
    gain, shift, gamma, noise = (
        torch.from_numpy(a).to(patches.device).view(-1, 1, 1, 1)
        for a in (drawn.gain, drawn.shift, drawn.gamma, drawn.noise)
    )
    patches = patches * gain + shift
    patches = patches.sign() * patches.abs() ** gamma
    if drawn.noise.any():
        generator = torch.Generator(patches.device).manual_seed(drawn.noise_seed)
        patches = patches + noise * torch.randn(patches.shape, generator=generator, device=patches.device)
    return patches


def _knots(spec: AugmentSpec, patch: int) -> int:
    return ceil((patch - 1) / spec.elastic_spacing_px) + 3


@lru_cache(maxsize=8)
def _bicubic(patch: int, spacing: float, knots: int) -> torch.Tensor:
    """(patch, knots) weights of cubic convolution (Keys 1981, a = -1/2) from a coarse grid, centred on the patch."""
    place = (np.arange(patch) - (patch - 1) / 2) / spacing + (knots - 1) / 2
    d = np.abs(place[:, None] - np.arange(knots))
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.from_numpy(np.where(d <= 1, near, np.where(d < 2, far, 0)).astype(np.float32))
