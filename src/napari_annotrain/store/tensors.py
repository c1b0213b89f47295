"""Tensors in `.safetensors` files: written completely or not at all, and read only after a look at the header."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from napari_annotrain.data.places import beside, check_place, check_way, refusing
from napari_annotrain.errors import AnnotrainError

#: The header of a model takes some thousand bytes; one that claims more than this is not read.
MOST_HEADER_BYTES = 10_000_000
Shapes = dict[str, tuple[int, ...]]


class TensorFile:
    """A `.safetensors` file of which only the header has been read."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self.header: dict[str, str] = file.metadata() or {}
        self._file = file

    def shapes(self) -> Shapes:
        """Shape of every tensor, by name."""
        return {name: tuple(self._file.get_slice(name).get_shape()) for name in self._file.keys()}  # noqa: SIM118

    def read(self) -> dict[str, torch.Tensor]:
        """All tensors, by name.

        Raises
        ------
        AnnotrainError
            One of them holds NaN, infinite values, or no real numbers.
        """
        tensors = {name: self._file.get_tensor(name) for name in self._file.keys()}  # noqa: SIM118
        if not all(_is_finite(tensor) for tensor in tensors.values()):
            raise unreadable(self.path)
        return tensors


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """Open a `.safetensors` file; no memory is taken before its header has been found to be in order.

    Raises
    ------
    AnnotrainError
        It is empty, damaged, cut off, of another type, or may not be read.
    """
    try:
        _check_header_length(path)
        with safe_open(path, framework="pt") as file:
            yield TensorFile(path, file)
    except OSError as error:
        why = error.strerror or "the system refuses"
        raise AnnotrainError(f"{path} cannot be opened ({why}): check its name and permissions.") from error
    except (SafetensorError, UnicodeDecodeError) as error:
        raise unreadable(path) from error


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> None:
    """Write tensors and a header beside `path`, then rename, so that no half-written file ever bears the name.

    Raises
    ------
    AnnotrainError
        The path cannot be written.
    """
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(header))
    check_place(path)
    with refusing(path):
        check_way(path, store=False, overwrite=True)
    with beside(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def unreadable(path: Path) -> AnnotrainError:
    """Word the error about a file that is damaged or holds no tensors."""
    return AnnotrainError(
        f"{path.name} cannot be read as a model: it is damaged, cut off or another file; "
        "copy it again or choose another one."
    )


def _check_header_length(path: Path) -> None:
    """Look at the length of the header, which the first eight bytes tell, before anybody makes room for it."""
    with path.open("rb") as file:
        start, size = file.read(8), path.stat().st_size
    if len(start) < 8 or int.from_bytes(start, "little") > min(MOST_HEADER_BYTES, size - 8):
        raise unreadable(path)


def _is_finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_complex() and bool(tensor.float().isfinite().all())
