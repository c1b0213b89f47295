"""What training makes small, for labels and for images."""

from typing import Literal

from pydantic import model_validator

from napari_annotrain.specs.spec import Spec, setting

LearnFrom = Literal["pair", "corrupted", "noise2void"]


class WeightSpec(Spec):
    """How much each annotated pixel counts (equation 2 of the U-Net paper)."""

    balance: float = setting(
        0.5, "Class balance", "0: every pixel counts the same; 1: every class counts the same.", ge=0, le=1
    )
    border: float = setting(10.0, "Border weight w0", "Extra weight of the gap between touching cells.", ge=0, le=100)
    sigma_px: float = setting(5.0, "Border width", "Sigma of the extra weight's fall-off.", "px", gt=0, le=50)


class LossSpec(Spec):
    """What training makes small on the annotated pixels: the sum of some terms, each times its share (0: left out)."""

    cross_entropy: float = setting(
        1.0, "Cross-entropy", "Share of the weighted cross-entropy (Ronneberger 2015).", ge=0, le=100
    )
    dice: float = setting(
        0.0, "Dice", "Share of the soft Dice loss (Milletari 2016): overlap, for small objects.", ge=0, le=100
    )
    focal: float = setting(0.0, "Focal", "Share of the focal loss (Lin 2017): doubtful pixels count.", ge=0, le=100)
    tversky: float = setting(
        0.0, "Tversky", "Share of the Tversky loss (Salehi 2017): missed and wrong pixels weigh apart.", ge=0, le=100
    )
    gamma: float = setting(
        2.0, "Focal gamma", "The larger, the less pixels count that are right already; 0: cross-entropy.", ge=0, le=10
    )
    alpha: float = setting(0.3, "Tversky alpha", "How much a pixel counts that wrongly got a class.", ge=0, le=1)
    beta: float = setting(0.7, "Tversky beta", "How much a pixel counts that wrongly did not get it.", ge=0, le=1)

    @model_validator(mode="after")
    def _something(self) -> "LossSpec":
        if not (self.cross_entropy or self.dice or self.focal or self.tversky):
            raise ValueError("Give at least one term of the loss a share above 0.")
        if self.tversky and not (self.alpha or self.beta):
            raise ValueError("Give Tversky alpha or beta above 0.")
        return self


class ImageSpec(Spec):
    """What a model of the target image learns from: pairs of images, or images alone."""

    learn_from: LearnFrom = setting(
        "pair",
        "Learn from",
        "pair: a target image for each image; corrupted: the image itself, to be restored from one that is made worse "
        "(Vincent 2008); noise2void: noisy images alone, hidden pixels from their neighbours (Krull 2019).",
        advanced=False,
    )
    mse: float = setting(1.0, "Squared error", "Share of the mean squared error in the loss.", ge=0, le=100)
    mae: float = setting(0.0, "Absolute error", "Share of the mean absolute error in the loss.", ge=0, le=100)
    ssim: float = setting(
        0.0, "Structure", "Share of 1 - SSIM (Wang 2004) in the loss; not with noise2void.", ge=0, le=100
    )
    vary: Literal["turns", "deform", "all"] = setting(
        "turns",
        "Augmentation",
        "turns: flips and quarter turns, which leave noise as it is; deform: as for labels, which smooths noise; all: "
        "the image's intensity, too, and not the target's. noise2void takes turns only.",
    )
    target_range: Literal["auto", "own", "training"] = setting(
        "auto",
        "Range of the target",
        "own: results get the range of each image (denoising); training: that of the targets; auto: own where image "
        "and target have nearly the same range.",
    )
    corrupt_noise: float = setting(
        0.1, "Added noise", "corrupted: standard deviation, in units of the intensity range.", ge=0, le=1
    )
    corrupt_masked: float = setting(0.0, "Masked pixels", "corrupted: share of the pixels set to black.", ge=0, le=0.9)
    hidden: float = setting(0.02, "Hidden pixels", "noise2void: share hidden in each patch.", gt=0, le=0.25)
    hidden_radius_px: int = setting(
        5, "Neighbours", "noise2void: a hidden pixel gets the value of one at most so far away.", "px", ge=1, le=15
    )

    @model_validator(mode="after")
    def _some_loss(self) -> "ImageSpec":
        if not self.mse + self.mae + self.ssim > 0:
            raise ValueError("give mse, mae or ssim a share in the loss")
        return self
