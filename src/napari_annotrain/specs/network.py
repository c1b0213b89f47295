from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ValidationError, model_validator

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs.spec import Spec, refusal, setting


class NetChoices(Spec):
    """What a user may choose of the network; the annotation gives the rest (`NetSpec`)."""

    width: int = setting(16, "Width", "Feature maps on the top level; doubled on each level below.", ge=1, le=256)
    depth: int = setting(4, "Depth", "How often the image is halved; where it is not, so many more blocks.", ge=0, le=6)
    convolutions: int = setting(2, "Convolutions", "3 x 3 convolutions on each level.", ge=1, le=4)
    block: Literal["plain", "residual", "dense"] = setting(
        "plain",
        "Block",
        "plain: the convolutions of a level, one after the other; residual: what went in is added to what comes out "
        "(He 2015); dense: each reads all before it (Huang 2017).",
    )
    activation: Literal["relu", "leaky", "selu"] = setting(
        "relu",
        "Activation",
        "relu: cuts off what is negative; leaky: lets a hundredth of it through; selu: keeps mean and spread by "
        "itself (Klambauer 2017), for normalisation none.",
    )
    normalisation: Literal["none", "batch"] = setting("batch", "Normalisation", "Batch normalisation, or none.")
    dropout: float = setting(0.0, "Dropout", "At the end of the contracting path, as in the paper.", ge=0, lt=1)
    padding: Literal["same", "valid"] = setting(
        "same", "Padding", "valid: as in the paper, the output is smaller than the input; same: equally large."
    )
    down: Literal["max", "average", "strided", "none"] = setting(
        "max",
        "Way down",
        "How the image is halved. max: the largest of 2 x 2 pixels; average: their mean; strided: a learnt mean "
        "(Springenberg 2014); none: not at all, so that only the nearest pixels are seen.",
    )
    up: Literal["transposed", "transposed3", "nearest1", "nearest3", "bilinear", "bicubic", "unpool"] = setting(
        "transposed",
        "Way up",
        "How it is enlarged again. transposed: learnt, 2 x 2 pixels of each; transposed3: 3 x 3, which overlap; "
        "nearest1, nearest3: repeated, with a 1 x 1 or 3 x 3 convolution; bilinear, bicubic: interpolated; unpool: put "
        "back to where the largest came from (Noh 2015).",
    )
    skips: Literal["concatenate", "add", "multiply", "none", "scores"] = setting(
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

    channels: int = setting(1, "Channels", "Channels of the images it reads.", ge=1)
    outputs: int = setting(2, "Outputs", "Score maps it writes, one a class.", ge=1)
    ndim: Literal[2] = setting(2, "Dimensions", "Spatial dimensions the convolutions see.")

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
