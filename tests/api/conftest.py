"""What tests of predictions to the disk share."""

import pytest

from napari_annotrain.inference.predictor import Predictor
from tests.conftest import store_movie


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Three planes in a store."""
    return store_movie(tmp_path_factory.mktemp("in") / "movie.zarr", 3)


@pytest.fixture
def computed(monkeypatch):
    """What the network computed: of every tile what tells its plane, and the y and x of its core."""
    tiles, compute = [], Predictor.compute

    def watched(self, patch, decoding):
        tiles.append((float(patch.image.sum()), patch.tile.write[0].start, patch.tile.write[1].start))
        return compute(self, patch, decoding)

    monkeypatch.setattr(Predictor, "compute", watched)
    return tiles
