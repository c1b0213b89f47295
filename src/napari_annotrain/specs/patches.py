"""What is done with the images before and while they are learnt from."""

from typing import Literal

from napari_annotrain.specs.spec import Spec, setting


class NormaliseSpec(Spec):
    """How intensities are brought to a common range, once an image, before it is cut into tiles."""

    mode: Literal["percentile", "minmax", "meanstd", "none"] = setting(
        "percentile", "Intensity range", "What becomes 0 and 1 (mean-std: mean 0, standard deviation 1)."
    )
    scope: Literal["channel", "image", "training"] = setting(
        "channel", "Measured over", "Each channel of each image; all channels together; or the training images."
    )
    low: float = setting(1.0, "Low percentile", "This share of the pixels lies below 0.", "%", ge=0, lt=50)
    high: float = setting(99.8, "High percentile", "This share of the pixels lies below 1.", "%", gt=50, le=100)


class AugmentSpec(Spec):
    """Random deformation and intensity of the training patches (section 3.1 of the U-Net paper)."""

    elastic_px: float = setting(
        6.0, "Elastic deformation", "Standard deviation of the displacements of the coarse grid.", "px", ge=0, le=50
    )
    elastic_spacing_px: float = setting(
        96.0, "Elastic grid", "Distance between the points of the coarse grid.", "px", ge=8, le=512
    )
    rotate_deg: float = setting(180.0, "Rotation", "Largest angle, either way.", "°", ge=0, le=180)
    scale: float = setting(1.2, "Scale", "Largest factor by which the image is enlarged or shrunk.", "x", ge=1, le=2)
    flip: bool = setting(True, "Flips", "Mirror along Y and X, each half of the time.")
    contrast: float = setting(0.25, "Contrast", "Largest relative change of the intensity range.", ge=0, le=0.9)
    brightness: float = setting(0.1, "Brightness", "Largest shift, in units of the intensity range.", ge=0, le=1)
    gamma: float = setting(1.3, "Gamma", "Largest exponent, or its inverse.", ge=1, le=3)
    noise: float = setting(0.05, "Noise", "Largest standard deviation, in units of the intensity range.", ge=0, le=0.5)
