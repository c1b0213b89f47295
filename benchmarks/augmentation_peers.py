"""The augmentations that `augmentation.py` compares: ours, and the same one as each peer's own calls.

Every class draws and applies new deformations to a batch of image and label pairs at each call. The parameters of the
elastic part are set so that the measured displacements agree: a parameter of the same name means something else
in every tool. Without `affine`, only the elastic part is applied, for that measurement.
"""

import os
import warnings

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else it asks the network for a newer version

import albumentations
import cv2
import kornia.augmentation as kornia
import monai.transforms as monai
import numpy as np
import torch
import torchio
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from kornia.constants import DataKey, Resample
from scipy import fft, ndimage

from napari_annotrain.specs import AugmentSpec
from napari_annotrain.training import augment

PATCH = 256
SCALE = 1.2
#: Standard deviation of the Gaussian that smooths the noise of every dense field: about as smooth as a grid of 96 px.
SIGMA = 40.0


class Annotrain:
    name, package, field = "napari-annotrain", "napari-annotrain", "coarse grid, bicubic"

    def __init__(self, affine: bool = True, margin: bool = False) -> None:
        self.spec = AugmentSpec(
            elastic_px=7.2, elastic_spacing_px=96, rotate_deg=180 * affine, scale=SCALE if affine else 1, flip=affine,
            contrast=0, brightness=0, gamma=1, noise=0,
        )  # fmt: skip
        self.rng = np.random.default_rng(0)
        # Training samples from windows that are larger than the patch, where the peers pad
        self.pad = (augment.window_size(self.spec, PATCH) - PATCH) // 2 if margin else 0

    def prepare(self, images: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        around = ((0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad))
        pairs = (np.pad(a[:, None].astype(np.float32), around, mode="symmetric") for a in (images, labels))
        return tuple(torch.from_numpy(a) for a in pairs)

    def draw(self, batch: int) -> augment.Augmentation:
        return augment.draw(self.rng, self.spec, batch, PATCH)

    def __call__(self, pairs):
        return augment.apply(self.draw(len(pairs[0])), self.spec, PATCH, *pairs)

    def read(self, done) -> tuple[np.ndarray, np.ndarray]:
        return done[0][:, 0].numpy(), done[1][:, 0].numpy()


class AnnotrainWindows(Annotrain):
    name = "napari-annotrain, from the larger windows of training"

    def __init__(self, affine: bool = True) -> None:
        super().__init__(affine, margin=True)


class Scipy:
    name, package, field = "gaussian_filter and map_coordinates", "scipy", "dense"

    def __init__(self, affine: bool = True) -> None:
        self.affine = affine
        self.rng = np.random.default_rng(0)
        at = np.arange(PATCH, dtype=np.float32) - (PATCH - 1) / 2
        self.straight = np.stack(np.meshgrid(at, at, indexing="ij"))
        self.gain = 6 * 2 * SIGMA * np.sqrt(np.pi)  # white noise keeps 1 / (2 sigma sqrt(pi)) of its deviation

    def prepare(self, images: np.ndarray, labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        return list(zip(images, labels, strict=True))

    def matrix(self) -> np.ndarray:
        angle, scale = self.rng.uniform(-np.pi, np.pi), SCALE ** self.rng.uniform(-1, 1)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
        return turn * scale * self.rng.choice((-1, 1), 2).astype(np.float32)

    def smooth(self, noise: np.ndarray) -> np.ndarray:
        return np.stack([ndimage.gaussian_filter(n, SIGMA, mode="wrap", truncate=3) for n in noise])

    def one(self, image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        noise = self.rng.standard_normal((2, PATCH, PATCH), np.float32)
        moved = self.smooth(noise) * np.float32(self.gain)
        moved += np.tensordot(self.matrix(), self.straight, 1) if self.affine else self.straight
        moved += (PATCH - 1) / 2
        return (
            ndimage.map_coordinates(image, moved, order=1, mode="nearest"),
            ndimage.map_coordinates(label, moved, order=0, mode="constant"),
        )

    def __call__(self, pairs):
        return [self.one(*pair) for pair in pairs]

    def read(self, done) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.stack(a) for a in zip(*done, strict=True))


class ScipyFFT(Scipy):
    """A faster way to the same dense field than `gaussian_filter`, which few write: a harder peer."""

    name = "the same, smoothed by rfft2"

    def __init__(self, affine: bool = True) -> None:
        super().__init__(affine)
        power = np.add.outer(np.fft.fftfreq(PATCH) ** 2, np.fft.rfftfreq(PATCH) ** 2)
        self.response = np.exp(-2 * (np.pi * SIGMA) ** 2 * power).astype(np.float32)

    def smooth(self, noise: np.ndarray) -> np.ndarray:
        return fft.irfft2(fft.rfft2(noise) * self.response)


class Albumentations:
    name, package, field = "ElasticTransform, Affine, flips", "albumentations", "dense"

    def __init__(self, affine: bool = True) -> None:
        elastic = albumentations.ElasticTransform(
            alpha=3260, sigma=SIGMA, approximate=False, border_mode=cv2.BORDER_REPLICATE, p=1
        )
        turn = albumentations.Affine(
            scale=(1 / SCALE, SCALE), keep_ratio=True, rotate=(-180, 180), border_mode=cv2.BORDER_REPLICATE, p=1
        )
        flips = [albumentations.HorizontalFlip(p=0.5), albumentations.VerticalFlip(p=0.5)]
        self.transform = albumentations.Compose([elastic, *([turn, *flips] if affine else [])], seed=0)

    def prepare(self, images: np.ndarray, labels: np.ndarray) -> list[dict]:
        return [{"image": i, "mask": m.astype(np.int16)} for i, m in zip(images, labels, strict=True)]

    def __call__(self, pairs):
        return [self.transform(**pair) for pair in pairs]

    def read(self, done) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([d["image"] for d in done]), np.stack([d["mask"] for d in done])


class BatchGenerators:
    name, package, field = "SpatialTransform, MirrorTransform", "batchgeneratorsv2", "dense"

    def __init__(self, affine: bool = True) -> None:
        spatial = SpatialTransform(
            (PATCH, PATCH), 0, random_crop=False, center_deformation=False,
            p_elastic_deform=1, elastic_deform_scale=SIGMA / PATCH, elastic_deform_magnitude=13.4,
            p_rotation=affine, rotation=(-np.pi, np.pi), p_scaling=affine, scaling=(1 / SCALE, SCALE),
            p_synchronize_scaling_across_axes=1, mode_seg="nearest", padding_mode_image="border",
        )  # fmt: skip
        flips: list[BasicTransform] = [MirrorTransform((0, 1))] if affine else []
        self.transform = ComposeTransforms([spatial, *flips])

    def prepare(self, images: np.ndarray, labels: np.ndarray) -> list[dict]:
        pairs = zip(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int16)), strict=True)
        return [{"image": i[None], "segmentation": m[None]} for i, m in pairs]

    def __call__(self, pairs):
        return [self.transform(**pair) for pair in pairs]

    def read(self, done) -> tuple[np.ndarray, np.ndarray]:
        return tuple(torch.cat([d[key] for d in done]).numpy() for key in ("image", "segmentation"))


class Kornia:
    name, package, field = "RandomElasticTransform, RandomAffine, flips", "kornia", "dense"

    def __init__(self, affine: bool = True) -> None:
        width = 2 * round(3 * SIGMA) + 1
        elastic = kornia.RandomElasticTransform(
            kernel_size=(width, width), sigma=(SIGMA, SIGMA), alpha=(11.6, 11.6), padding_mode="border", p=1
        )
        turn = kornia.RandomAffine(degrees=180.0, scale=(1 / SCALE, SCALE), padding_mode="border", p=1)
        flips = [kornia.RandomHorizontalFlip(p=0.5), kornia.RandomVerticalFlip(p=0.5)]
        self.transform = kornia.AugmentationSequential(
            elastic,
            *([turn, *flips] if affine else []),
            data_keys=["input", "mask"],
            extra_args={DataKey.MASK: {"resample": Resample.NEAREST, "align_corners": False}},
        )

    def prepare(self, images: np.ndarray, labels: np.ndarray) -> list[torch.Tensor]:
        return [torch.from_numpy(a[:, None].astype(np.float32)) for a in (images, labels)]

    def __call__(self, pairs):
        return self.transform(*pairs)

    def read(self, done) -> tuple[np.ndarray, np.ndarray]:
        return done[0][:, 0].numpy(), done[1][:, 0].numpy()


class Monai:
    name, package, field = "Rand2DElasticd, RandFlipd", "monai", "coarse grid, bicubic"

    def __init__(self, affine: bool = True) -> None:
        keys = ("image", "label")
        elastic = monai.Rand2DElasticd(
            keys, spacing=(96, 96), magnitude_range=(6.75, 6.75), prob=1, mode=("bilinear", "nearest"),
            padding_mode=("border", "zeros"), rotate_range=np.pi if affine else None,
            scale_range=[(1 / SCALE - 1, SCALE - 1)] * 2 if affine else None,
        )  # fmt: skip
        flips = [monai.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in (0, 1)] if affine else []
        self.transform = monai.Compose([elastic, *flips])
        self.transform.set_random_state(0)

    def prepare(self, images: np.ndarray, labels: np.ndarray) -> list[dict]:
        pairs = zip(torch.from_numpy(images), torch.from_numpy(labels.astype(np.float32)), strict=True)
        return [{"image": i[None], "label": m[None]} for i, m in pairs]

    def __call__(self, pairs):
        return [self.transform(pair) for pair in pairs]

    def read(self, done) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.concatenate([np.asarray(d[key]) for d in done]) for key in ("image", "label"))


class TorchIO:
    name, package, field = "RandomElasticDeformation, RandomAffine, RandomFlip", "torchio", "coarse grid, B-spline"

    def __init__(self, affine: bool = True) -> None:
        with warnings.catch_warnings(action="ignore"):  # about folding: the control points move by half their distance
            elastic = torchio.RandomElasticDeformation((7, 7, 4), max_displacement=(31.2, 31.2, 0), locked_borders=0)
        turn = torchio.RandomAffine((1 / SCALE, SCALE), (0, 0, 0, 0, -180, 180), isotropic=True)
        flip = torchio.RandomFlip((0, 1), flip_probability=0.5)
        self.transform = torchio.Compose([elastic, *([turn, flip] if affine else [])])

    def prepare(self, images: np.ndarray, labels: np.ndarray) -> list[torchio.Subject]:
        return [
            torchio.Subject(
                image=torchio.ScalarImage(tensor=torch.from_numpy(i[None, ..., None])),
                label=torchio.LabelMap(tensor=torch.from_numpy(m[None, ..., None].astype(np.int16))),
            )
            for i, m in zip(images, labels, strict=True)
        ]

    def __call__(self, pairs):
        return [self.transform(pair) for pair in pairs]

    def read(self, done) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.stack([d[key].numpy()[0, ..., 0] for d in done]) for key in ("image", "label"))


TOOLS = (Annotrain, AnnotrainWindows, Albumentations, BatchGenerators, Kornia, Scipy, ScipyFFT, Monai, TorchIO)
