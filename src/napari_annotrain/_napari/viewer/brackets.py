from typing import Any


def split(key: Any, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[int | slice, ...]]:
    """Bring what stands in brackets to one plain window, and what is to be taken of that.

    Parameters
    ----------
    key
        Whole numbers and forward slices, fewer than dimensions, with or without an ellipsis.

    Returns
    -------
    Slices from start to stop inside the shape, and a number or a slice for each axis.

    Examples
    --------
    >>> split((-1, slice(None, None, 2)), (5, 6))
    ((slice(4, 5, None), slice(0, 5, None)), (0, slice(None, None, 2)))
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), len(keys))
    missing = [slice(None)] * (len(shape) - len(keys) + (at < len(keys)))
    full = [*keys[:at], *missing, *keys[at + 1 :]]
    window, rest = zip(*(_one(k, n) for k, n in zip(full, shape, strict=True)), strict=True)
    return window, rest


def _one(key: Any, length: int) -> tuple[slice, int | slice]:
    if not isinstance(key, slice):
        index = range(length)[int(key)]
        return slice(index, index + 1), 0
    indices = range(length)[key]
    if indices.step < 0:
        raise ValueError("Results on the disk are read forwards.")
    stop = indices[-1] + 1 if indices else indices.start
    return slice(indices.start, stop), slice(None, None, indices.step)
