import torch

from tests.inference.test_segment import threshold_model


def test_a_network_shares_nothing_with_its_model_and_draws_no_random_numbers():
    model = threshold_model()
    before = {name: tensor.clone() for name, tensor in model.weights.items()}
    state = torch.random.get_rng_state()
    network = model.network(torch.device("cpu"))
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.add_(1)
    assert all(torch.equal(model.weights[name], tensor) for name, tensor in before.items())


def test_weights_in_half_precision_are_computed_with_in_single_precision():
    model = threshold_model()
    model.weights.update({name: w.half() for name, w in model.weights.items() if w.is_floating_point()})
    assert {p.dtype for p in model.network(torch.device("cpu")).parameters()} == {torch.float32}
