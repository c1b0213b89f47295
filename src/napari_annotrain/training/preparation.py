import copy

import torch

from napari_annotrain.net.device import choose_device, choose_precision
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.training.anchor import Anchor
from napari_annotrain.training.frozen import freeze
from napari_annotrain.training.learner import Learner
from napari_annotrain.training.state import TrainingState, Weights, restore_optimiser
from napari_annotrain.training.teacher import Teacher


def prepare(
    net: NetSpec,
    spec: TrainSpec,
    start: Weights | None = None,
    state: TrainingState | None = None,
    anchor: Anchor | None = None,
) -> Learner:
    """Make a learner: from nothing, from the weights of a base where they fit, or from where an earlier run stopped."""
    device = choose_device(spec.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        network, average = UNet(net), UNet(net)
    drawn: set[str] = set()
    if start is not None:
        drawn = _load_fitting(network, start)
    if state is not None:
        network.load_state_dict(state.weights)
    average.load_state_dict(network.state_dict() if state is None else state.average)
    network, average = (n.to(device, memory_format=torch.channels_last) for n in (network, average))  # type: ignore[call-overload]
    network.train()
    freeze(network, spec.freeze, drawn)
    average.eval().requires_grad_(False)
    precision = choose_precision(spec.precision, device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    teacher = _make_teacher(average, anchor) if anchor is not None else None
    optimiser = _make_optimiser(network, spec)
    learner = Learner(network, average, optimiser, spec, device, precision, scaler, anchor, teacher)
    if state is not None:
        restore_optimiser(learner.optimiser, network, state.optimiser)
        learner.step, learner.pace = state.step, state.pace
    return learner


def _make_teacher(average: UNet, anchor: Anchor) -> Teacher:
    network = copy.deepcopy(average)
    network.load_state_dict(anchor.weights)
    return Teacher(network)


def _make_optimiser(network: UNet, spec: TrainSpec) -> torch.optim.Optimizer:
    learning = [p for p in network.parameters() if p.requires_grad]
    if spec.optimiser == "sgd":  # section 3: high momentum, so that many earlier patches determine the update
        return torch.optim.SGD(learning, spec.learning_rate, momentum=spec.momentum)
    # all parameters in one pass; one by one costs a tenth of a step on a CPU
    return torch.optim.AdamW(learning, spec.learning_rate, weight_decay=spec.weight_decay, fused=True)


def _load_fitting(network: UNet, start: Weights) -> set[str]:
    """Take over the weights that fit; a first layer for other channels is adapted, other shapes stay as drawn.

    Returns
    -------
    Names of those that stay as drawn.
    """
    own = network.state_dict()
    first = next(iter(own))
    if first in start and start[first].shape[1] != own[first].shape[1]:
        start = start | {first: _for_channels(start[first], own[first].shape[1])}
    fitting = {k: v for k, v in start.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict(own | fitting)
    return set(own) - set(fitting)


def _for_channels(kernels: torch.Tensor, n_channels: int) -> torch.Tensor:
    """First kernels (K, C, 3, 3) for another number of channels: each sees the mean of them as the base saw its own."""
    return kernels.sum(1, keepdim=True).expand(-1, n_channels, -1, -1) / n_channels
