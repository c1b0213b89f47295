"""Annotate cells in napari, fine-tune a U-Net on this computer, overlay its labels on stacks of any size."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_annotrain.api import evaluate, load_model, predict, save_model, train

__version__ = "0.1.0"
__all__ = ["evaluate", "load_model", "predict", "save_model", "train"]


def __getattr__(name: str) -> Any:
    # torch loads when the first verb is used, not when napari looks at its plugins
    if name in __all__:
        from napari_annotrain import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
