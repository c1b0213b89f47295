"""Names of axes, and the way from any order to the one order that is used inside."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from napari_annotrain.errors import AnnotrainError

#: The order of every array inside the package: time, channel, depth, height, width (as OME-NGFF stores them).
CANONICAL = "TCZYX"
#: The axes of a label image, which has no channel.
LABEL_AXES = "TZYX"
#: Up to this many entries, an axis of unknown meaning is taken for channels.
MOST_GUESSED_CHANNELS = 4
NO_PIXEL_SIZES: Mapping[str, float] = MappingProxyType({})


def parse_axes(text: str, ndim: int) -> str:
    """Check an axes string such as ``"ZYX"`` against a number of dimensions; ``S`` (samples, RGB) means ``C``.

    Raises
    ------
    AnnotrainError
        Unknown or repeated letters, no Y or X, or another number of letters than dimensions.
    """
    axes = text.upper().replace("S", "C")
    if len(set(axes)) != len(axes) or not set("YX") <= set(axes) <= set(CANONICAL):
        raise AnnotrainError(
            f"The axes '{text}' cannot be read: use each of T, C, Z, Y, X at most once, with Y and X among them."
        )
    if len(axes) != ndim:
        raise AnnotrainError(
            f"The axes '{text}' name {len(axes)} dimensions but the image has {ndim}: give one letter for each."
        )
    return axes


def guess_axes(shape: Sequence[int]) -> str:
    """Guess the axes of an array without metadata from its shape.

    The last two are Y, X unless the last has 3 or 4 entries (RGB, RGBA). A third axis is Z. Of four axes, one of
    the first two with at most 4 entries is the channel; otherwise they are T, Z, Y, X. Five are T, C, Z, Y, X.

    Raises
    ------
    AnnotrainError
        Fewer than two dimensions or more than five.

    Examples
    --------
    >>> guess_axes((512, 512)), guess_axes((40, 512, 512)), guess_axes((256, 320, 3))
    ('YX', 'ZYX', 'YXC')
    """
    ndim = len(shape)
    colour = ndim >= 3 and shape[-1] in (3, 4) and min(shape[-3:-1]) > shape[-1]
    if colour and ndim <= 5:
        return {3: "YXC", 4: "ZYXC", 5: "TZYXC"}[ndim]
    if ndim == 4:
        channel = next((i for i in (1, 0) if shape[i] <= MOST_GUESSED_CHANNELS), None)
        return {0: "CZYX", 1: "ZCYX", None: "TZYX"}[channel]
    if ndim not in (2, 3, 5):
        raise AnnotrainError(f"An image of {ndim} dimensions cannot be used: give one with 2 to 5 (of T, C, Z, Y, X).")
    return {2: "YX", 3: "ZYX", 5: "TCZYX"}[ndim]


def without_channel(axes: str) -> str:
    """Axes of the label image that belongs to an image with these axes, in the same order."""
    return axes.replace("C", "")
