"""Fluorescent nuclei that were never on a microscope, with their true labels: for demos, docs and tests.

The picture is made the way a camera makes it: nuclei full of chromatin, blurred by the objective, on the haze of
everything out of focus, unevenly lit, counted as photons, read out with noise and an offset.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint16]
Labels = npt.NDArray[np.uint16]
Shape3D = tuple[int, int, int]
Box = tuple[slice, slice, slice]
#: Counts the camera shows in the dark, and the standard deviation of reading out one pixel.
DARK, READ_NOISE = 110.0, 4.0
#: Photons a pixel of empty medium, and of the middle of an average nucleus.
MEDIUM, NUCLEUS = 25.0, 420.0
#: Standard deviation of the point spread, in the plane (px) and along Z (planes).
BLUR_PX, BLUR_PLANES = 1.0, 0.8
#: A plane of a stack is this many pixels thick.
PLANE_PX = 3.0
#: Share of a new nucleus that may lie over its neighbours.
MOST_OVERLAP = 0.06


@dataclass(frozen=True)
class Nucleus:
    """A bent ellipsoid with a texture that moves and turns with it.

    Attributes
    ----------
    centre
        (z, y, x) in planes and pixels.
    radii
        Half axes (z, long, short) in planes and pixels.
    angle
        Of the long axis in the plane, in radians.
    outline
        Relative change of the radius with the direction: cosine and sine of 2, 3, ... waves a turn, (N, 2).
    waves
        Texture as a sum of plane waves: radians a pixel along and across the long axis, and phase, (N, 3).
    nucleoli
        Dark spots: position along and across, and size, as fractions of the half axes, (N, 3).
    photons
        Light of a pixel in its middle.
    contrast
        Standard deviation of the texture, relative to its mean.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    angle: float
    outline: Floats
    waves: Floats
    nucleoli: Floats
    photons: float
    contrast: float

    @property
    def mean_radius(self) -> float:
        """Radius of the disc of the same area in the plane, in pixels."""
        return float(np.sqrt(self.radii[1] * self.radii[2]))

    def inside(self, shape: Shape3D) -> tuple[Box, Floats]:
        """How deep the pixels of a box lie in the nucleus: 1 in its centre, 0 on its surface, negative outside.

        The box is around the nucleus, cut to `shape` (Z, Y, X).
        """
        in_plane = 1.4 * max(self.radii)
        z, y, x = (
            slice(max(0, int(c - r)), max(0, min(n, int(c + r) + 2)))
            for c, r, n in zip(self.centre, (self.radii[0], in_plane, in_plane), shape, strict=True)
        )
        w, u, v = (g / r for g, r in zip(self._frame((z, y, x)), self.radii, strict=True))
        turn = np.arctan2(v, u)
        radius = 1 + sum(c * np.cos(k * turn) + s * np.sin(k * turn) for k, (c, s) in enumerate(self.outline, 2))
        return (z, y, x), 1 - (u**2 + v**2) / radius**2 - w**2

    def light(self, shape: Shape3D) -> tuple[Box, Floats]:
        """Light of the pixels of the box of `inside`, 0 outside the nucleus."""
        box, inside = self.inside(shape)
        # a nucleus is flat in the middle and thins towards its edge
        thickness = 0.4 + 0.6 * np.clip(inside, 0, 1) ** 0.4
        return box, np.where(inside > 0, self.photons * thickness * self._chromatin(box), 0.0)

    def _frame(self, box: Box) -> tuple[Floats, Floats, Floats]:
        """Pixels of a box as distances from the centre: planes, pixels along and across the long axis."""
        z, y, x = (g - c for g, c in zip(np.ogrid[box], self.centre, strict=True))
        sin, cos = np.sin(self.angle), np.cos(self.angle)
        return z, y * sin + x * cos, y * cos - x * sin

    def _chromatin(self, box: Box) -> Floats:
        """Relative density, 1 on average: waves, and holes where nucleoli are."""
        z, along, across = self._frame(box)
        texture = np.zeros(np.broadcast_shapes(along.shape, z.shape))
        for k_along, k_across, phase in self.waves:
            texture += np.cos(k_along * along + k_across * across + PLANE_PX * k_across * z + phase)
        texture *= self.contrast * np.sqrt(2 / len(self.waves))
        for a, b, size in self.nucleoli:
            squared = (along / self.radii[1] - a) ** 2 + (across / self.radii[2] - b) ** 2 + (z / self.radii[0]) ** 2
            texture -= 0.4 * np.exp(-squared / (2 * size**2))
        return np.asarray(np.clip(1 + texture, 0.1, None))


def cells(
    shape: tuple[int, int] = (512, 512),
    n_cells: int = 90,
    seed: int = 0,
    diameter_px: float = 28.0,
    touching: float = 0.35,
) -> tuple[Image, Labels]:
    """Make a plane of nuclei: image and labels, both (Y, X) uint16; same arguments, same pixels.

    Parameters
    ----------
    n_cells
        Nuclei to place; fewer where they find no room. Their ids are 1, 2, ...
    diameter_px
        Median diameter.
    touching
        Share of the nuclei that are placed right beside another one, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    volume = (1, *shape)
    light, labels = _paint(_place(rng, volume, n_cells, diameter_px, touching), volume)
    return _photograph(rng, light, diameter_px)[0], labels[0]


def cell_stack(
    shape: Shape3D = (8, 256, 256), n_cells: int = 40, seed: int = 0, diameter_px: float = 28.0
) -> tuple[Image, Labels]:
    """Make a stack of nuclei: image and labels, both (Z, Y, X) uint16; deeper planes are dimmer and more blurred."""
    rng = np.random.default_rng(seed)
    light, labels = _paint(_place(rng, shape, n_cells, diameter_px, touching=0.35), shape)
    light = ndi.gaussian_filter1d(light, BLUR_PLANES, axis=0, mode="nearest")
    depth = np.arange(shape[0]) * PLANE_PX / diameter_px
    light = np.stack(
        [ndi.gaussian_filter(plane, 0.7 * d) / (1 + 0.35 * d) for plane, d in zip(light, depth, strict=True)]
    )
    return _photograph(rng, light, diameter_px), labels


def cell_movie(
    shape: Shape3D = (10, 256, 256), n_cells: int = 35, seed: int = 0, diameter_px: float = 28.0
) -> tuple[Image, Labels]:
    """Make a movie of crawling nuclei: image and labels, both (T, Y, X) uint16; a nucleus keeps its id."""
    rng = np.random.default_rng(seed)
    plane = (1, *shape[1:])
    nuclei = _place(rng, plane, n_cells, diameter_px, touching=0.3)
    steps = rng.normal(0, 0.06 * diameter_px, (len(nuclei), 2))
    frames = []
    for _ in range(shape[0]):
        frames.append(_paint(nuclei, plane))
        steps = 0.8 * steps + rng.normal(0, 0.03 * diameter_px, steps.shape)
        nuclei = _crawl(nuclei, steps, rng.normal(0, 0.06, len(nuclei)))
    light = np.concatenate([light for light, _ in frames])
    bleached = light * np.exp(-0.02 * np.arange(shape[0]))[:, None, None]
    return _photograph(rng, bleached, diameter_px), np.concatenate([labels for _, labels in frames])


def _draw(rng: np.random.Generator, centre: Floats, diameter_px: float) -> Nucleus:
    """Draw the looks of a nucleus; a few are in mitosis: narrow, bright and coarse."""
    mitotic = rng.random() < 0.04
    radius = 0.5 * diameter_px * np.exp(rng.normal(0, 0.17)) * (0.75 if mitotic else 1.0)
    aspect = np.sqrt(rng.uniform(1.5, 2.2) if mitotic else rng.uniform(1.05, 1.75))
    irregular = rng.gamma(2.0, 0.5)
    orders = np.arange(2, 6)
    wavelength = rng.uniform(0.12, 0.45, 24) * diameter_px
    direction = rng.uniform(0, 2 * np.pi, 24)
    spots = 0 if mitotic else rng.integers(0, 4)
    position = rng.uniform(0, 2 * np.pi, spots)
    away = rng.uniform(0.1, 0.55, spots)
    return Nucleus(
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        radii=(radius * rng.uniform(0.7, 1.0) / PLANE_PX, radius * aspect, radius / aspect),
        angle=rng.uniform(0, np.pi),
        outline=np.clip(irregular * rng.normal(0, 0.22, (len(orders), 2)), -0.28, 0.28) / orders[:, None] ** 1.5,
        waves=np.stack(
            [
                2 * np.pi / wavelength * np.cos(direction),
                2 * np.pi / wavelength * np.sin(direction),
                rng.uniform(0, 2 * np.pi, 24),
            ],
            axis=1,
        ),
        nucleoli=np.stack([away * np.cos(position), away * np.sin(position), rng.uniform(0.1, 0.2, spots)], axis=1),
        photons=NUCLEUS * np.exp(rng.normal(0, 0.3)) * (2.2 if mitotic else 1.0),
        contrast=0.3 if mitotic else rng.uniform(0.08, 0.2),
    )


def _place(
    rng: np.random.Generator, shape: Shape3D, n_cells: int, diameter_px: float, touching: float
) -> list[Nucleus]:
    """Place nuclei one by one: anywhere, or beside an earlier one; a place too crowded is given up."""
    nuclei: list[Nucleus] = []
    taken = np.zeros(shape, bool)
    for _ in range(20 * n_cells):
        if len(nuclei) == n_cells:
            break
        centre = rng.uniform(0, 1, 3) * (np.array(shape) - 1)
        nucleus = _draw(rng, centre, diameter_px)
        if nuclei and rng.random() < touching:
            nucleus = _beside(rng, nucleus, nuclei[rng.integers(len(nuclei))])
        box, inside = nucleus.inside(shape)
        covered = inside > 0
        if not covered.any() or np.mean(taken[box][covered]) > MOST_OVERLAP:
            continue
        taken[box] |= covered
        nuclei.append(nucleus)
    return nuclei


def _beside(rng: np.random.Generator, nucleus: Nucleus, other: Nucleus) -> Nucleus:
    direction = rng.uniform(0, 2 * np.pi)
    away = (nucleus.mean_radius + other.mean_radius) * rng.uniform(0.9, 1.1)
    z, y, x = other.centre
    return replace(nucleus, centre=(z, y + away * np.sin(direction), x + away * np.cos(direction)))


def _crawl(nuclei: list[Nucleus], steps: Floats, turns: Floats) -> list[Nucleus]:
    """Move and turn each nucleus; those that would lie over each other push apart."""
    centres = np.array([n.centre[1:] for n in nuclei]).reshape(-1, 2) + steps
    radii = np.array([n.mean_radius for n in nuclei])
    apart = centres[:, None] - centres[None]
    distance = np.linalg.norm(apart, axis=2) + np.eye(len(nuclei))
    lacking = np.clip(radii[:, None] + radii[None] - distance, 0, None) * (1 - np.eye(len(nuclei)))
    centres += 0.5 * np.sum(apart / distance[..., None] * lacking[..., None], axis=1)
    return [
        replace(n, centre=(n.centre[0], float(y), float(x)), angle=n.angle + float(turn))
        for n, (y, x), turn in zip(nuclei, centres, turns, strict=True)
    ]


def _paint(nuclei: list[Nucleus], shape: Shape3D) -> tuple[Floats, Labels]:
    """Light and labels (Z, Y, X); where nuclei overlap, their light adds and the earlier one owns the pixel."""
    light, labels = np.zeros(shape), np.zeros(shape, np.uint16)
    for value, nucleus in enumerate(nuclei, 1):
        box, own = nucleus.light(shape)
        light[box] += own
        labels[box][(own > 0) & (labels[box] == 0)] = value
    return light, labels


def _photograph(rng: np.random.Generator, light: Floats, diameter_px: float) -> Image:
    """Take a camera picture of each plane of the light (N, Y, X): optics, illumination, photons, read-out."""
    optics = zip((0.85, 0.07, 0.12), (BLUR_PX, 0.3 * diameter_px, 1.5 * diameter_px), strict=True)
    collected = sum(part * ndi.gaussian_filter(light, (0, width, width), truncate=2.5) for part, width in optics)
    y, x = (np.linspace(-1, 1, n) for n in light.shape[1:])
    off_y, off_x = rng.uniform(-0.4, 0.4, 2)
    lamp = 1 - 0.16 * ((y[:, None] - off_y) ** 2 + (x[None] - off_x) ** 2)
    cloud = ndi.gaussian_filter(rng.normal(0, 1, light.shape[1:]), 1.5 * diameter_px, mode="wrap")
    medium = MEDIUM * (1 + 0.25 * cloud / max(float(cloud.std()), 1e-12))
    photons = rng.poisson(np.clip(lamp, 0.3, None) * (collected + np.clip(medium, 0, None)))
    counts = DARK + 2.0 * photons + rng.normal(0, READ_NOISE, light.shape)
    return np.asarray(np.clip(np.round(counts), 0, np.iinfo(np.uint16).max), np.uint16)
