from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs.network import NetSpec
from napari_annotrain.specs.patches import AugmentSpec
from napari_annotrain.specs.spec import Spec
from napari_annotrain.specs.training import TrainSpec


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


def find_preset(name: str | Preset) -> Preset:
    """Look a preset up by name; one that is given itself is given back.

    Raises
    ------
    AnnotrainError
        No preset has this name.
    """
    if isinstance(name, Preset):
        return name
    try:
        return PRESETS[name]
    except KeyError:
        raise AnnotrainError(f"There is no preset '{name}': choose one of {', '.join(PRESETS)}.") from None
