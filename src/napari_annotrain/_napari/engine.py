from types import ModuleType


def load() -> ModuleType:
    """Give the verbs of the package; torch comes with the first one used.

    That takes long: the panel uses one in a worker thread when it opens. Later ones, in any thread, are free.
    """
    from napari_annotrain import api

    return api
