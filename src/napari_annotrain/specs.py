"""Every setting, described once: the form, the command line and the docs grow from these titles, units and ranges."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_annotrain.errors import AnnotrainError

Target = Literal["classes", "cells", "image"]
Output = Literal["classes", "cells", "probabilities", "image", "uncertainty"]
LearnFrom = Literal["pair", "corrupted", "noise2void"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Schedule = Literal["constant", "cosine", "one-cycle", "plateau"]
Freeze = Literal["none", "encoder", "all but the last layer"]
Views = Literal["none", "flips", "flips and turns"]
Uncertainty = Literal["entropy", "augmentation", "dropout"]


class Spec(BaseModel):
    """Frozen, validated settings; an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _setting(
    default: Any, title: str, why: str, unit: str = "", advanced: bool = True, start: float | None = None, **limits: Any
) -> Any:
    """Describe a setting; `start` is where a form begins that sets one whose default is None."""
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "start": start}
    return Field(default, title=title, description=why, json_schema_extra=extra, **limits)


class NetChoices(Spec):
    """What a user may choose of the network; the annotation gives the rest (`NetSpec`)."""

    width: int = _setting(16, "Width", "Feature maps on the top level; doubled on each level below.", ge=1, le=256)
    depth: int = _setting(
        4, "Depth", "How often the image is halved; where it is not, so many more blocks.", ge=0, le=6
    )
    convolutions: int = _setting(2, "Convolutions", "3 x 3 convolutions on each level.", ge=1, le=4)
    block: Literal["plain", "residual", "dense"] = _setting(
        "plain",
        "Block",
        "plain: the convolutions of a level, one after the other; residual: what went in is added to what comes out "
        "(He 2015); dense: each reads all before it (Huang 2017).",
    )
    activation: Literal["relu", "leaky", "selu"] = _setting(
        "relu",
        "Activation",
        "relu: cuts off what is negative; leaky: lets a hundredth of it through; selu: keeps mean and spread by "
        "itself (Klambauer 2017), for normalisation none.",
    )
    normalisation: Literal["none", "batch"] = _setting("batch", "Normalisation", "Batch normalisation, or none.")
    dropout: float = _setting(0.0, "Dropout", "At the end of the contracting path, as in the paper.", ge=0, lt=1)
    padding: Literal["same", "valid"] = _setting(
        "same", "Padding", "valid: as in the paper, the output is smaller than the input; same: equally large."
    )
    down: Literal["max", "average", "strided", "none"] = _setting(
        "max",
        "Way down",
        "How the image is halved. max: the largest of 2 x 2 pixels; average: their mean; strided: a learnt mean "
        "(Springenberg 2014); none: not at all, so that only the nearest pixels are seen.",
    )
    up: Literal["transposed", "transposed3", "nearest1", "nearest3", "bilinear", "bicubic", "unpool"] = _setting(
        "transposed",
        "Way up",
        "How it is enlarged again. transposed: learnt, 2 x 2 pixels of each; transposed3: 3 x 3, which overlap; "
        "nearest1, nearest3: repeated, with a 1 x 1 or 3 x 3 convolution; bilinear, bicubic: interpolated; unpool: put "
        "back to where the largest came from (Noh 2015).",
    )
    skips: Literal["concatenate", "add", "multiply", "none", "scores"] = _setting(
        "concatenate",
        "Skips",
        "What the way up gets from the way down. concatenate: its feature maps, beside its own (U-Net); add, multiply: "
        "into its own; none: nothing; scores: no more than score maps, summed over all scales (Long 2015).",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.up == "unpool" and self.down != "max":
            raise ValueError("Unpooling needs to know where the largest pixels were: choose max as way down.")
        if self.up == "unpool" and self.skips == "scores":
            raise ValueError("Score maps cannot be unpooled: choose another way up, or other skips.")
        return self


class NetSpec(NetChoices):
    """The network: a U-Net (Ronneberger, Fischer, Brox 2015) or one of its relatives."""

    channels: int = _setting(1, "Channels", "Channels of the images it reads.", ge=1)
    outputs: int = _setting(2, "Outputs", "Score maps it writes, one a class.", ge=1)
    ndim: Literal[2] = _setting(2, "Dimensions", "Spatial dimensions the convolutions see.")

    @property
    def levels(self) -> int:
        """How often the image really is halved."""
        return 0 if self.down == "none" else self.depth

    def choose(self, choices: NetChoices | Mapping[str, Any] | None) -> "NetSpec":
        """The network with some of its settings replaced: those that were given.

        Raises
        ------
        AnnotrainError
            There is no such network.
        """
        given = choices.model_dump(exclude_unset=True) if isinstance(choices, NetChoices) else dict(choices or {})
        try:
            return NetSpec.model_validate(self.model_dump() | given)
        except ValidationError as error:
            raise AnnotrainError(refusal(error)) from None

    def differences(self, other: "NetSpec") -> list[str]:
        """In words, what a user chose differently in another network: such as "Depth 3 and not 4"."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in NetChoices.model_fields)
        return [f"{NetChoices.model_fields[name].title} {a} and not {b}" for name, a, b in pairs if a != b]


class NormaliseSpec(Spec):
    """How intensities are brought to a common range, once an image, before it is cut into tiles."""

    mode: Literal["percentile", "minmax", "meanstd", "none"] = _setting(
        "percentile", "Intensity range", "What becomes 0 and 1 (mean-std: mean 0, standard deviation 1)."
    )
    scope: Literal["channel", "image", "training"] = _setting(
        "channel", "Measured over", "Each channel of each image; all channels together; or the training images."
    )
    low: float = _setting(1.0, "Low percentile", "This share of the pixels lies below 0.", "%", ge=0, lt=50)
    high: float = _setting(99.8, "High percentile", "This share of the pixels lies below 1.", "%", gt=50, le=100)


class AugmentSpec(Spec):
    """Random deformation and intensity of the training patches (section 3.1 of the U-Net paper)."""

    elastic_px: float = _setting(
        6.0, "Elastic deformation", "Standard deviation of the displacements of the coarse grid.", "px", ge=0, le=50
    )
    elastic_spacing_px: float = _setting(
        96.0, "Elastic grid", "Distance between the points of the coarse grid.", "px", ge=8, le=512
    )
    rotate_deg: float = _setting(180.0, "Rotation", "Largest angle, either way.", "°", ge=0, le=180)
    scale: float = _setting(1.2, "Scale", "Largest factor by which the image is enlarged or shrunk.", "x", ge=1, le=2)
    flip: bool = _setting(True, "Flips", "Mirror along Y and X, each half of the time.")
    contrast: float = _setting(0.25, "Contrast", "Largest relative change of the intensity range.", ge=0, le=0.9)
    brightness: float = _setting(0.1, "Brightness", "Largest shift, in units of the intensity range.", ge=0, le=1)
    gamma: float = _setting(1.3, "Gamma", "Largest exponent, or its inverse.", ge=1, le=3)
    noise: float = _setting(0.05, "Noise", "Largest standard deviation, in units of the intensity range.", ge=0, le=0.5)


class WeightSpec(Spec):
    """How much each annotated pixel counts (equation 2 of the U-Net paper)."""

    balance: float = _setting(
        0.5, "Class balance", "0: every pixel counts the same; 1: every class counts the same.", ge=0, le=1
    )
    border: float = _setting(10.0, "Border weight w0", "Extra weight of the gap between touching cells.", ge=0, le=100)
    sigma_px: float = _setting(5.0, "Border width", "Sigma of the extra weight's fall-off.", "px", gt=0, le=50)


class LossSpec(Spec):
    """What training makes small on the annotated pixels: the sum of some terms, each times its share (0: left out)."""

    cross_entropy: float = _setting(
        1.0, "Cross-entropy", "Share of the weighted cross-entropy (Ronneberger 2015).", ge=0, le=100
    )
    dice: float = _setting(
        0.0, "Dice", "Share of the soft Dice loss (Milletari 2016): overlap, for small objects.", ge=0, le=100
    )
    focal: float = _setting(0.0, "Focal", "Share of the focal loss (Lin 2017): doubtful pixels count.", ge=0, le=100)
    tversky: float = _setting(
        0.0, "Tversky", "Share of the Tversky loss (Salehi 2017): missed and wrong pixels weigh apart.", ge=0, le=100
    )
    gamma: float = _setting(
        2.0, "Focal gamma", "The larger, the less pixels count that are right already; 0: cross-entropy.", ge=0, le=10
    )
    alpha: float = _setting(0.3, "Tversky alpha", "How much a pixel counts that wrongly got a class.", ge=0, le=1)
    beta: float = _setting(0.7, "Tversky beta", "How much a pixel counts that wrongly did not get it.", ge=0, le=1)

    @model_validator(mode="after")
    def _something(self) -> "LossSpec":
        if not (self.cross_entropy or self.dice or self.focal or self.tversky):
            raise ValueError("Give at least one term of the loss a share above 0.")
        if self.tversky and not (self.alpha or self.beta):
            raise ValueError("Give Tversky alpha or beta above 0.")
        return self


class ImageSpec(Spec):
    """What a model of the target image learns from: pairs of images, or images alone."""

    learn_from: LearnFrom = _setting(
        "pair",
        "Learn from",
        "pair: a target image for each image; corrupted: the image itself, to be restored from one that is made worse "
        "(Vincent 2008); noise2void: noisy images alone, hidden pixels from their neighbours (Krull 2019).",
        advanced=False,
    )
    mse: float = _setting(1.0, "Squared error", "Share of the mean squared error in the loss.", ge=0, le=100)
    mae: float = _setting(0.0, "Absolute error", "Share of the mean absolute error in the loss.", ge=0, le=100)
    ssim: float = _setting(
        0.0, "Structure", "Share of 1 - SSIM (Wang 2004) in the loss; not with noise2void.", ge=0, le=100
    )
    vary: Literal["turns", "deform", "all"] = _setting(
        "turns",
        "Augmentation",
        "turns: flips and quarter turns, which leave noise as it is; deform: as for labels, which smooths noise; all: "
        "the image's intensity, too, and not the target's. noise2void takes turns only.",
    )
    target_range: Literal["auto", "own", "training"] = _setting(
        "auto",
        "Range of the target",
        "own: results get the range of each image (denoising); training: that of the targets; auto: own where image "
        "and target have nearly the same range.",
    )
    corrupt_noise: float = _setting(
        0.1, "Added noise", "corrupted: standard deviation, in units of the intensity range.", ge=0, le=1
    )
    corrupt_masked: float = _setting(0.0, "Masked pixels", "corrupted: share of the pixels set to black.", ge=0, le=0.9)
    hidden: float = _setting(0.02, "Hidden pixels", "noise2void: share hidden in each patch.", gt=0, le=0.25)
    hidden_radius_px: int = _setting(
        5, "Neighbours", "noise2void: a hidden pixel gets the value of one at most so far away.", "px", ge=1, le=15
    )

    @model_validator(mode="after")
    def _some_loss(self) -> "ImageSpec":
        if not self.mse + self.mae + self.ssim > 0:
            raise ValueError("give mse, mae or ssim a share in the loss")
        return self


class TrainSpec(Spec):
    """The training loop."""

    seconds: float | None = _setting(60.0, "Training time", "Training stops after this.", "s", False, gt=0)
    steps: int | None = _setting(None, "Steps", "Training stops after so many steps, whatever the time.", ge=1)
    seed: int = _setting(0, "Seed", "Same seed and steps, same result.", ge=0)
    device: Device = _setting("auto", "Device", "auto takes a GPU where there is one that works.", advanced=False)
    precision: Precision = _setting("auto", "Precision", "auto takes what the device computes fastest.")
    patch: int = _setting(128, "Patch", "Side of the training patches.", "px", ge=16, le=2048)
    batch: int = _setting(8, "Batch", "Patches a step.", ge=1, le=256)
    optimiser: Literal["adamw", "sgd"] = _setting("adamw", "Optimiser", "AdamW, or SGD with momentum as in the paper.")
    learning_rate: float = _setting(2e-3, "Learning rate", "Step length of the optimiser.", gt=0, le=1)
    schedule: Schedule = _setting(
        "constant",
        "Schedule",
        "constant: any moment is a good one to stop; cosine, one-cycle: falls until the end; plateau: halved when the "
        "validation score stays.",
    )
    patience: int = _setting(
        5,
        "Patience",
        "Of plateau: validations without a higher score until the learning rate is halved.",
        ge=1,
        le=1000,
    )
    freeze: Freeze = _setting(
        "none", "Frozen", "Kept as it is of the model to start from: its contracting path, or all but the last layer."
    )
    momentum: float = _setting(0.99, "Momentum", "Of SGD.", ge=0, lt=1)
    weight_decay: float = _setting(1e-4, "Weight decay", "Of AdamW.", ge=0, le=1)
    averaging: float = _setting(
        0.995, "Weight averaging", "Decay of the moving average that makes any moment a good one to stop.", ge=0, lt=1
    )
    validation: float = _setting(
        0.15, "Validation share", "Share of the annotated blocks kept for validation.", ge=0, le=0.5
    )
    loss: LossSpec = LossSpec()
    augment: AugmentSpec = AugmentSpec()
    weights: WeightSpec = WeightSpec()
    normalise: NormaliseSpec = NormaliseSpec()
    image: ImageSpec = ImageSpec()

    @model_validator(mode="after")
    def _one_limit(self) -> "TrainSpec":
        if self.seconds is None and self.steps is None:
            raise ValueError("give seconds or steps")
        return self


class CellsSpec(Spec):
    """How cells are told apart; None is automatic, from the annotated cells or from what is found."""

    diameter_px: float | None = _setting(
        None,
        "Cell diameter",
        "Of typical cells in this image; far from what the model knows, it is rescaled.",
        "px",
        start=30.0,
        ge=1,
        le=10_000,
    )
    threshold: float | None = _setting(
        None,
        "Threshold",
        "Least probability that counts as a cell: lower for larger and more cells.",
        start=0.6,
        ge=0.01,
        le=0.99,
    )
    smoothing_px: float | None = _setting(
        None, "Smoothing", "The more, the fewer cells are split at small bumps.", "px", start=2.0, ge=0, le=100
    )
    min_size_px: int | None = _setting(None, "Smallest cell", "Smaller cells are dropped.", "px²", start=30, ge=0)
    largest_hole_px: int | None = _setting(
        None, "Largest hole", "Holes in cells up to this area are filled; 0: none.", "px²", start=50, ge=0
    )


class PredictSpec(Spec):
    """Prediction by overlap-tiles."""

    output: Output | None = _setting(None, "Show", "None: what the model was trained for.", advanced=False)
    tile: Annotated[int, Field(ge=1)] | Literal["auto", "whole"] = _setting(
        "auto", "Tile", "Side of the written core; rounded up to the network's grid.", "px"
    )
    memory: int = _setting(2_000_000_000, "Memory", "Most memory the process may use.", "bytes", ge=1)
    device: Device = _setting("auto", "Device", "auto takes a GPU where there is one that works.")
    precision: Precision = _setting("auto", "Precision", "auto takes what the device computes fastest.")
    augment: Views = _setting(
        "none",
        "Turned views",
        "Mean of what the network makes of an image mirrored (4 times the time), or also turned (8 times).",
    )
    uncertainty: Uncertainty = _setting(
        "entropy",
        "Uncertainty",
        "Entropy of the probabilities; or how far they spread over turned views, or over networks with dropout.",
    )
    samples: int = _setting(16, "Dropout samples", "Networks with dropout that are compared.", ge=2, le=200)
    scheduler: str = _setting(
        "", "Cluster", "Stacks are predicted by a dask cluster: tcp://..., or local:2 for two processes; empty: here."
    )
    cells: CellsSpec = CellsSpec()


class Preset(Spec):
    """A network and the training settings that suit it."""

    title: str
    net: NetSpec
    train: TrainSpec = TrainSpec()


PRESETS: dict[str, Preset] = {
    "fast": Preset(title="fast: good labels in seconds on a laptop", net=NetSpec(width=16)),
    "standard": Preset(title="standard: finer, about three times slower", net=NetSpec(width=32)),
    "paper": Preset(
        title="paper: the network of Ronneberger et al. 2015; wants a GPU",
        net=NetSpec(width=64, padding="valid", normalisation="none", dropout=0.5),
        train=TrainSpec(patch=196, batch=1, optimiser="sgd", learning_rate=1e-3, augment=AugmentSpec(elastic_px=10.0)),
    ),
    "flat": Preset(
        title="flat: sees only 6 pixels around each; for textures, and to see what context is worth",
        net=NetSpec(width=32, depth=2, down="none"),
    ),
    "fcn": Preset(
        title="fcn: scores of all scales summed (Long 2015); light and smooth, coarse at thin gaps",
        net=NetSpec(width=32, up="bilinear", skips="scores"),
    ),
    "segnet": Preset(
        title="segnet: remembers where the brightest pixels were instead of the maps (after Badrinarayanan 2015)",
        net=NetSpec(width=16, up="unpool", skips="none"),
    ),
    "resunet": Preset(
        title="resunet: as fast, with residual blocks, which train more easily when deep",
        net=NetSpec(width=16, block="residual"),
    ),
    "denseunet": Preset(
        title="denseunet: as fast, with dense blocks, which use each feature map several times; slower",
        net=NetSpec(width=16, block="dense"),
    ),
}


def find_preset(name: str) -> Preset:
    """Look a preset up by name.

    Raises
    ------
    AnnotrainError
        No preset has this name.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise AnnotrainError(f"There is no preset '{name}': choose one of {', '.join(PRESETS)}.") from None


def refusal(error: ValidationError) -> str:
    """One sentence for the user, of what settings were refused for."""
    first = error.errors()[0]
    words = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return words
    return f"The setting {first['loc'][-1]} cannot be {first['input']}: {words[:1].lower()}{words[1:]}."


def check_choice(name: str, value: str, choices: Any) -> None:
    """Refuse a word that is not among the choices of a `Literal`, naming them."""
    allowed = get_args(choices)
    if value not in allowed:
        raise AnnotrainError(f"'{value}' is no {name}: choose one of {', '.join(map(str, allowed))}.")


def parse_memory(text: str | int) -> int:
    """Read an amount of memory: ``"2GB"``, ``"500 MB"``, ``"1.5GiB"`` or a number of bytes.

    Raises
    ------
    AnnotrainError
        It is not a positive amount in B, kB, MB, GB, TB or their binary kin.
    """
    units = {"": 1, "B": 1}
    for i, letter in enumerate("KMGT", 1):
        units |= {letter: 1000**i, f"{letter}B": 1000**i, f"{letter}IB": 1024**i}
    word = str(text).strip().upper().replace(" ", "")
    number = word.rstrip("KMGTIB")
    try:
        amount = int(float(number) * units[word[len(number) :]])
    except (ValueError, KeyError, OverflowError):
        amount = 0
    if amount < 1:
        raise AnnotrainError(f"The amount of memory '{text}' cannot be read: write it like 2GB or 500MB.")
    return amount
