from math import prod

import torch

from napari_annotrain.inference.views import times_of
from napari_annotrain.net.device import resident_memory
from napari_annotrain.net.ready import can_rewrite
from napari_annotrain.objects.plane import BYTES_A_PIXEL, THREADS
from napari_annotrain.specs import NetSpec, PredictSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.tiles.grid import Box

#: Largest core with tile "auto", in px: beyond it the margin costs little and progress comes in larger lumps.
LARGEST_CORE = 2048
#: Smallest one: below it nearly all the work is margin, and little memory is won.
SMALLEST_CORE = 256
#: What a tile takes a pixel: so many numbers for each feature map of the top level, in the network's precision, and so
#: many floats besides. Peak resident sizes on an EPYC gave 3.5 to 6.1 numbers, of tiles of 1,216 to 2,240 px in both
#: precisions, with oneDNN's fused convolutions and without; another processor has taken not quite twice as much.
NUMBERS_PER_MAP, FLOATS_BESIDES = 11.0, 6
#: The same of a network that is computed as it was trained, whose maps are concatenated and normalised one by one: 10.5
#: numbers were measured of dense blocks.
NUMBERS_AS_TRAINED = 18.0
#: Floats a pixel and score map besides, where several views are compared: their mean, their spread, what changes these.
FLOATS_COMPARED = 5
#: Bytes a pixel of the planes before and after the one whose cells are told apart.
PLANES_A_PIXEL = 16
#: What the first tile takes whatever its size, in bytes: oneDNN's kernels, threads.
FIRST_TILE = 100_000_000
#: Share of the memory that is left alone: results, the allocator's gaps.
SPARE = 0.12
#: Most that the process is taken to need before any tile, in bytes.
MOST_RESIDENT = 700_000_000
#: Share of a GPU's free memory that tiles may take.
GPU_SHARE = 0.6
#: Share of the memory in which cells are told apart; what the network made of their plane lies in another.
WINDOW_SHARE = 0.25
#: That plane is not made smaller, whatever the memory, in pixels: small windows overlap more, and little memory is won.
LEAST_WINDOW_PX = 5 << 19
#: A window has this part of the pixels of the largest plane that is looked at whole: there are two of them at a time,
#: and memory that one thread has used is not all there for another.
WINDOW = 0.3


def memory_budget(spec: PredictSpec, device: torch.device) -> int:
    """Bytes that tiles may take: of the GPU's free memory, or of `spec.memory` what Python and torch leave.

    What else the process holds (the user's images, napari) is not counted beyond `MOST_RESIDENT`.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * GPU_SHARE)
    return max(0, spec.memory - min(resident_memory(), MOST_RESIDENT))


def tiles_budget(spec: PredictSpec, device: torch.device, cells: tuple[int, int] | None = None) -> int:
    """The same, less what the (Y, X) planes take whose `cells` are told apart meanwhile, or are written."""
    budget = memory_budget(spec, device)
    if cells is None or device.type == "cuda":
        return budget
    most = choose_window(spec)
    pixels = prod(cells) if prod(cells) <= most else THREADS * WINDOW * most
    return max(0, budget - int(pixels * BYTES_A_PIXEL) - prod(cells) * PLANES_A_PIXEL)


def choose_window(spec: PredictSpec) -> int:
    """Pixels of the largest plane whose cells are told apart as a whole.

    It hangs on nothing but `spec.memory`, so that tissue is parted alike on every machine and on every day.
    """
    return max(LEAST_WINDOW_PX, int(spec.memory * WINDOW_SHARE) // BYTES_A_PIXEL)


def choose_core(
    spec: PredictSpec, net: NetSpec, region: Box, budget: int, precision: torch.dtype = torch.float32
) -> int:
    """Side of the tiles' cores, in px: as asked, or the largest that a budget of so many bytes holds."""
    shape = geometry(net)
    longest = max(s.stop - s.start // shape.grid * shape.grid for s in region)  # tiles begin on the grid
    if spec.tile == "whole":
        return shape.round_up(longest + shape.grid)
    if spec.tile != "auto":
        return shape.round_up(spec.tile)
    a_pixel = precision.itemsize * (NUMBERS_PER_MAP if can_rewrite(net) else NUMBERS_AS_TRAINED) * net.width
    a_pixel += 4 * (FLOATS_BESIDES + 2 * (net.outputs + net.channels))
    if times_of(spec) > 1:
        a_pixel += 4 * (FLOATS_COMPARED * net.outputs + net.channels)
    free = budget * (1 - SPARE) - FIRST_TILE
    side = int((max(0.0, free) / a_pixel) ** 0.5) - shape.surplus
    most = shape.round_up(max(SMALLEST_CORE, min(side, LARGEST_CORE) - shape.grid + 1))
    pieces = -(-longest // most)
    return min(most, shape.round_up(-(-longest // pieces)))
