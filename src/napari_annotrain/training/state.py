from dataclasses import astuple, dataclass, field
from typing import Any

import torch

from napari_annotrain.training.pace import Pace

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What is needed to go on training exactly where it stopped, on the CPU.

    Attributes
    ----------
    step, seconds
        Steps and training time so far.
    weights, average
        The network's weights, and their moving average.
    optimiser
        Per parameter, the optimiser's tensors (momenta).
    best, best_score, highest
        What validation has kept so far (`training.kept.Kept`); None before the first validation.
    pace
        What the learning rate hangs on besides the step.
    past, past_since
        What the network was before (`training.past.Past`), and since which step; None where that is not kept.
    n_annotated
        So many pixels of each class were annotated; where there are others, the past is of another annotation.
    """

    step: int
    seconds: float
    weights: Weights
    average: Weights
    optimiser: dict[str, dict[str, torch.Tensor]]
    best: Weights | None = None
    best_score: float = -1.0
    highest: torch.Tensor | None = None
    pace: Pace = field(default_factory=Pace)
    past: Weights | None = None
    past_since: int = 0
    n_annotated: tuple[int, ...] = ()

    def tensors(self) -> Weights:
        """Everything as one flat dictionary of tensors, for a file."""
        flat = {"progress": torch.tensor([self.step, self.seconds, self.best_score], dtype=torch.float64)}
        groups = {"weights": self.weights, "average": self.average, "best": self.best or {}, "past": self.past or {}}
        for group, weights in groups.items():
            flat |= {f"{group}/{name}": tensor for name, tensor in weights.items()}
        if self.highest is not None:
            flat["highest"] = self.highest
        if self.pace != Pace():
            flat["pace"] = torch.tensor(astuple(self.pace), dtype=torch.float64)
        if self.past is not None:
            flat["past_since"] = torch.tensor([self.past_since, *self.n_annotated])
        for name, slots in self.optimiser.items():
            flat |= {f"optimiser/{name}/{slot}": tensor for slot, tensor in slots.items()}
        return flat

    @classmethod
    def from_tensors(cls, flat: Weights) -> "TrainingState":
        """Inverse of `tensors`."""
        groups: dict[str, Any] = {"weights": {}, "average": {}, "best": {}, "past": {}, "optimiser": {}}
        for key, tensor in flat.items():
            group, _, rest = key.partition("/")
            if group == "optimiser":
                name, _, slot = rest.rpartition("/")
                groups[group].setdefault(name, {})[slot] = tensor
            elif group in groups:
                groups[group][rest] = tensor
        step, seconds, best_score = flat["progress"].tolist()
        groups |= {name: groups[name] or None for name in ("best", "past")}
        pace = Pace()
        if "pace" in flat:
            best, since, factor = flat["pace"].tolist()
            pace = Pace(best, int(since), factor)
        since, *n_annotated = flat["past_since"].tolist() if "past_since" in flat else [0]
        groups |= {"past_since": since, "n_annotated": tuple(n_annotated)}
        return cls(int(step), seconds, best_score=best_score, highest=flat.get("highest"), pace=pace, **groups)


def copy_weights(network: torch.nn.Module) -> Weights:
    """Copy a network's weights and statistics to the CPU, contiguous."""
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }


def copy_optimiser(optimiser: torch.optim.Optimizer, network: torch.nn.Module) -> dict[str, dict[str, torch.Tensor]]:
    """Copy the optimiser's tensors, by the name of the parameter they belong to."""
    return {
        name: {
            slot: torch.as_tensor(value).detach().to("cpu", copy=True)
            for slot, value in optimiser.state[p].items()
            if value is not None
        }
        for name, p in network.named_parameters()
        if p in optimiser.state
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, network: torch.nn.Module, saved: dict[str, dict[str, torch.Tensor]]
) -> None:
    """Put the tensors of `copy_optimiser` back."""
    for name, p in network.named_parameters():
        if name in saved:
            # a fused optimiser wants its counter of steps, too, where the weights are
            optimiser.state[p] = {
                slot: value.to(p.device, copy=True).contiguous(
                    memory_format=torch.channels_last if value.ndim == 4 else torch.contiguous_format
                )
                for slot, value in saved[name].items()
            }
