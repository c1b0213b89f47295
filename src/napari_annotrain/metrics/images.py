from dataclasses import dataclass
from math import log10

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from napari_annotrain.metrics.arithmetic import Scores, ratio

#: Sides of the window of SSIM, in px: smaller planes have none.
WINDOW = 11


@dataclass(frozen=True)
class ImageCounts:
    """Sums over the pixels of images, on which PSNR, SSIM, MAE and MSE rest.

    Attributes
    ----------
    n
        Values that are numbers in the truth.
    squared, absolute
        Sums of the errors, in the units of the images and their squares.
    relative
        Sum of the squared errors over the squared range (largest less smallest value) of their truth.
    ssim, n_ssim
        Sum of SSIM, and over how many values.
    """

    n: int
    squared: float
    absolute: float
    relative: float
    ssim: float
    n_ssim: int

    def __add__(self, other: "ImageCounts") -> "ImageCounts":
        """Pool two sets of images."""
        ours, theirs = ((c.n, c.squared, c.absolute, c.relative, c.ssim, c.n_ssim) for c in (self, other))
        n, squared, absolute, relative, ssim, n_ssim = (a + b for a, b in zip(ours, theirs, strict=True))
        return ImageCounts(int(n), squared, absolute, relative, ssim, int(n_ssim))

    def scores(self) -> Scores:
        """``{"psnr": dB, "ssim": -1 to 1, "mae": ..., "mse": ...}``; None where undefined.

        PSNR = 10 log10(range^2 / MSE): None where image and truth are equal, or the truth is flat.
        """
        mean = ratio(self.relative, self.n)
        return {
            "psnr": -10 * log10(mean) if mean and np.isfinite(mean) else None,
            "ssim": ratio(self.ssim, self.n_ssim),
            "mae": ratio(self.absolute, self.n),
            "mse": ratio(self.squared, self.n),
        }


def count_images(prediction: npt.NDArray[np.generic], truth: npt.NDArray[np.generic]) -> ImageCounts:
    """Compare images plane by plane, for `ImageCounts.scores`.

    SSIM is that of Wang et al. 2004 (Gaussian window of sigma 1.5 px) with the range of the truth.

    Parameters
    ----------
    prediction, truth
        (..., Y, X) of one shape; NaN in the truth is left out, in the prediction it counts as 0.
    """
    true = truth.astype(np.float64)
    known = np.isfinite(true)
    found = np.where(known, np.nan_to_num(prediction.astype(np.float64)), 0)
    span = float(np.ptp(true[known])) if known.any() else 0.0
    true = np.where(known, true, 0)
    error = found - true
    squared = float(np.square(error).sum())
    ssim, n_ssim = 0.0, 0
    if min(true.shape[-2:]) >= WINDOW and span > 0:
        planes = (array.reshape(-1, *array.shape[-2:]) for array in (found, true, known))
        for a, b, inside in zip(*planes, strict=True):
            of_plane = structural_similarity(
                a, b, data_range=span, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
            )[1]
            ssim, n_ssim = ssim + float(of_plane[inside].sum()), n_ssim + int(inside.sum())
    relative = squared / span**2 if span else float("inf") if squared else 0.0
    return ImageCounts(int(known.sum()), squared, float(np.abs(error).sum()), relative, ssim, n_ssim)
