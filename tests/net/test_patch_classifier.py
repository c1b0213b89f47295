import pytest
import torch

from napari_annotrain.net.patch_classifier import PatchClassifier


@pytest.mark.parametrize(("levels", "side"), [(1, 7), (2, 17), (3, 37), (4, 77)])
def test_patches_have_a_middle_and_give_one_pixel(levels, side):
    network = PatchClassifier(width=2, levels=levels)
    assert network.patch_px == side
    assert network(torch.zeros(5, 1, side, side)).shape == (5, 2)


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 40, 33), (3, 21, 50)])
def test_one_pass_over_the_image_gives_what_the_sliding_window_gives(levels, shape):
    torch.manual_seed(0)
    network, image = PatchClassifier(channels=shape[0], outputs=3, width=4, levels=levels), torch.randn(shape)
    with torch.inference_mode():
        slid, dense = network.slide(image), network.everywhere(image)
    assert slid.shape == dense.shape == (3, *shape[1:])
    assert (slid - dense).abs().max() <= 1e-5
    assert slid.std() > 1e-3, "test invalid: the network says the same everywhere"


def test_the_score_of_a_pixel_is_that_of_the_patch_around_it():
    torch.manual_seed(0)
    network, image = PatchClassifier(width=4), torch.randn(1, 60, 60)
    with torch.inference_mode():
        expected = network(image[None, :, 30 - 18 : 30 + 19, 25 - 18 : 25 + 19])[0]
        assert torch.allclose(network.everywhere(image)[:, 30, 25], expected, atol=1e-6)
