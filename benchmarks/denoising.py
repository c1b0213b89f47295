"""Denoising of nuclei (BBBC039) with added noise: from pairs of images, and from noisy images alone.

python benchmarks/denoising.py [--seconds 120]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from report import data_folder, machine, table, write_part

import napari_annotrain as at

#: Standard deviation of the noise, in units of each clean image's range.
SIGMA = 0.1


def write_noisy(images: list[Path], clean: Path, noisy: Path, seed: int) -> None:
    """The images as float32, without and with noise."""
    rng = np.random.default_rng(seed)
    for path in images:
        image = tifffile.imread(path).astype(np.float32)
        noise = rng.normal(0, SIGMA * np.ptp(image), image.shape).astype(np.float32)
        for folder, values in ((clean, image), (noisy, image + noise)):
            folder.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / path.name, values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    seconds = parser.parse_args().seconds
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for seed, part in enumerate(("train", "test")):
            images = sorted((data_folder() / "bbbc039" / part / "images").glob("*.tif"))
            write_noisy(images, folder / part / "clean", folder / part / "noisy", seed)
        noisy, clean = folder / "test" / "noisy", folder / "test" / "clean"
        before = at.evaluate(noisy, clean, kind="image")["mean"]
        rows.append(("as it is", "", before["psnr"], "", before["ssim"], before["mae"]))
        for learn_from in ("pair", "noise2void"):
            targets = folder / "train" / "clean" if learn_from == "pair" else None
            model = at.train(folder / "train" / "noisy", targets, "image", seconds=seconds, learn_from=learn_from)
            out = folder / learn_from
            at.predict(model, noisy, out=out)
            found = at.evaluate(out, clean, kind="image")["mean"]
            gain = f"{found['psnr'] - before['psnr']:+.1f} dB"
            rows.append((learn_from, model.card.provenance["steps"], found["psnr"], gain, found["ssim"], found["mae"]))
            print(*rows[-1], sep=" | ", flush=True)
    head = ("learnt from", f"steps in {seconds:.0f} s", "PSNR, dB", "gain", "SSIM", "mean absolute error, counts")
    said = f"Noise of sigma {SIGMA} of the range; means over the {len(images)} images of `test`. Figure: gain of 6 dB."
    write_part("denoising", f"{machine()}\n\n{table(head, rows)}\n\n{said}")


if __name__ == "__main__":
    main()
