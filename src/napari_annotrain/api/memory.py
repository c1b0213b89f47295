SHORT_OF_MEMORY = (
    "Not enough memory: close other programs, train with a smaller preset, or predict with less --memory "
    "or a smaller --tile."
)


def is_memory_short(error: BaseException) -> bool:
    """Tell that memory ran out (see `net.device.is_out_of_memory`), without torch where Python itself says so."""
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    from napari_annotrain.net.device import is_out_of_memory

    return is_out_of_memory(error)
