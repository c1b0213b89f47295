"""Is the result of a shifted image the shifted result? Only for shifts by whole steps of the network's grid.

    python scripts/family/shifts.py

The base model on made cells, moved by 0 to 32 px. Pooling begins at another pixel when the image moves, so that scores
change a little (Zhang 2019); at multiples of 2^depth they are the same, which is why tiles begin there.
"""

import numpy as np
import torch
from figure import pyplot, save

import napari_annotrain as at
from napari_annotrain.data.synthetic import cells

FURTHEST, SIDE = 32, 320


def main() -> None:
    plt = pyplot()
    image, _ = cells((SIDE + FURTHEST, SIDE + FURTHEST), n_cells=45, seed=3)
    low, high = np.percentile(image, (1, 99.8))
    normal = torch.from_numpy(((image - low) / (high - low)).astype(np.float32))
    network = at.load_model("cells-2d").network(torch.device("cpu"))
    grid = 2**network.spec.depth

    def inside(shift: int) -> np.ndarray:
        """Probabilities of being in a cell, where no shift has an edge in reach."""
        with torch.no_grad():
            scores = network(normal[None, None, shift : shift + SIDE, shift : shift + SIDE])[0, :2]
        found = scores.softmax(0)[1].numpy()
        return found[96 + FURTHEST - shift : SIDE - 96 - shift, 96 + FURTHEST - shift : SIDE - 96 - shift]

    first = inside(0)
    shifts = range(FURTHEST + 1)
    differences = [np.abs(inside(shift) - first) for shift in shifts]
    assert all(differences[s].max() < 1e-4 for s in shifts if s % grid == 0)
    figure, ax = plt.subplots(figsize=(5, 2))
    ax.plot(shifts, [d.max() for d in differences], "o-", ms=3, label="largest")
    ax.plot(shifts, [d.mean() for d in differences], "o-", ms=3, label="mean")
    for multiple in range(0, FURTHEST + 1, grid):
        ax.axvline(multiple, color="0.85", zorder=0)
    ax.set_yscale("symlog", linthresh=1e-5)
    ax.set_ylim(-5e-6, 1)
    ax.set(xlabel="shift along Y and X, px", ylabel="change of a probability", xticks=range(0, FURTHEST + 1, 4))
    ax.legend(frameon=False)
    save(figure, "shifts")


if __name__ == "__main__":
    main()
