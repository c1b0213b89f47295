import torch

from napari_annotrain.net.device import choose_device, describe


def list_devices() -> list[tuple[str, str]]:
    """Devices this computer can train and predict on: (value of the setting, words for the user)."""
    there = ["cpu"]
    there += ["cuda"] if torch.cuda.is_available() else []
    there += ["mps"] if torch.backends.mps.is_available() else []
    words = {name: describe(torch.device(name)) for name in there}
    return [("auto", f"Automatic ({words[choose_device('auto').type]})"), *words.items()]


def warm_up() -> None:
    """Import what the first training would wait for: torch's optimisers bring a compiler along (1.6 s)."""
    import napari_annotrain.api.prediction
    import napari_annotrain.api.training  # noqa: F401

    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
