import torch

from napari_annotrain.net.device import choose_device, describe


def list_devices() -> list[tuple[str, str]]:
    """Devices this computer can train and predict on: (value of the setting, words for the user)."""
    there = ["cpu"]
    there += ["cuda"] if torch.cuda.is_available() else []
    there += ["mps"] if torch.backends.mps.is_available() else []
    words = {name: describe(torch.device(name)) for name in there}
    return [("auto", f"Automatic ({words[choose_device('auto').type]})"), *words.items()]
