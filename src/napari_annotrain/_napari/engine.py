from types import ModuleType


def load() -> ModuleType:
    """Import the verbs of the package, and torch with them: called in worker threads only."""
    from napari_annotrain import api

    return api
