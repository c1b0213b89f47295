import math
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_annotrain.api.chosen import choose_settings
from napari_annotrain.api.failures import left_out
from napari_annotrain.api.sources import Source
from napari_annotrain.api.targets import choose_learning, open_images, plan_training
from napari_annotrain.api.training_run import follow, run_plan
from napari_annotrain.api.tuning import with_found_rate
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.feed import Feed
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Event, Note, OnEvent
from napari_annotrain.net.device import choose_device
from napari_annotrain.net.hidden_gpu import why_no_gpu
from napari_annotrain.net.model import Card, Model
from napari_annotrain.specs import ImageSpec, NetChoices, Target, TrainSpec, check_choice, find_preset
from napari_annotrain.store.models import check_model_path, shipped_models
from napari_annotrain.store.states import load_state
from napari_annotrain.training.state import TrainingState

#: torch takes no larger one.
LARGEST_SEED = 2**63 - 1


def base_models() -> list[str]:
    """Names of the shipped base weights."""
    return list(shipped_models())


def train(
    images: Source,
    annotations: Source | None = None,
    target: str = "classes",
    dense: bool = False,
    base: Model | str | Path | None = None,
    preset: str = "fast",
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    axes: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    learn_from: str | None = None,
    image: ImageSpec | None = None,
    on_event: OnEvent | None = None,
    net: NetChoices | Mapping[str, Any] | None = None,
) -> Model:
    """Train a model on annotated images, or on pairs of images.

    Parameters
    ----------
    images, annotations
        Arrays, paths of files or folders (stems match), or lists of them. Annotation values: 0 not annotated,
        1 background, 2, 3, ... classes or cells. With the target ``"image"`` they are the images to learn, of any
        values, NaN where not known; or they are left out, see `learn_from`.
    target
        ``"classes"``: every pixel gets a class. ``"cells"``: every annotation value is one cell, where everything is
        annotated each separate piece of it. ``"image"``: the model makes images (denoising, translation).
    dense
        The annotation is ground truth in the usual convention: 0 background, n class or cell n, nothing unknown.
    base
        Model to start from: a `Model`, a file, or the name of a shipped one; None or ``"none"`` to start afresh.
    preset
        ``"fast"``, ``"standard"``, ``"paper"`` or another of `specs.PRESETS`; with a base, its own network is used.
    seconds, steps
        How long to train, reading excluded; 60 seconds if neither is given, and steps win over seconds.
    seed
        Same seed and steps, same model.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    axes
        One letter of T, C, Z, Y, X for each dimension of the images; else read from the file or guessed.
    out
        Write the model here, and the training state beside it, while training and at its end.
    resume
        Go on from the training state beside `out`; seconds and steps count from the very first step.
    settings
        What of the preset's training settings is set otherwise, by its name in `napari_annotrain.specs.TrainSpec`:
        ``{"schedule": "cosine", "freeze": "encoder", "loss": {"dice": 1}}``. The learning rate may be ``"auto"``: it
        is found first (`find_learning_rate`).
    learn_from
        Of the target ``"image"``: ``"pair"``, a target image for each image; ``"corrupted"``, images alone, which are
        restored from worse ones; ``"noise2void"``, noisy images alone (see `napari_annotrain.specs.ImageSpec`). None:
        what `image` says.
    image
        Further settings of the target ``"image"``: losses, corruption, augmentation.
    on_event
        Called with every event (`napari_annotrain.events`).
    net
        What of the preset's network is chosen otherwise, such as ``{"up": "bilinear", "skips": "add"}``; see
        `specs.NetChoices`. Not with a base that has another network.

    Returns
    -------
    The latest model, unless validation shows that an earlier one was better (`training.kept`).

    Raises
    ------
    AnnotrainError
        Bad input, in one sentence. On Ctrl-C the best model so far is written to `out` before KeyboardInterrupt
        goes on.
    PartlyDone
        Some files of a folder could not be used; `result` holds the model that was trained on the others.
    """
    check_choice("target", target, Target)
    choose_device(device)
    chosen = find_preset(preset)
    if base is None or base == "none":
        chosen.net.choose(net)  # refused before anything is read
    how = choose_learning(target, learn_from, image)
    spec = chosen.train.model_copy(update={**limits(seconds, steps, seed, device), "image": how})
    state = card = None
    out = Path(out) if out is not None else None
    if out is not None:
        check_model_path(out)
    if resume and (found := _left_off(out, target, how if learn_from or image else None)):
        state, card, old = found
        spec = old.model_copy(update=limits(seconds, steps, old.seed, device))
    before = spec
    spec, find_rate = choose_settings(spec, settings)
    if state is not None:
        _check_settings(spec, before, target)
    opened = open_images(images, annotations, target, axes, dense, spec.image.learn_from)
    if on_event:
        hidden = why_no_gpu() if device == "auto" else ""
        for text in (*opened.notes, *([hidden] if hidden else [])):
            on_event(Note(text))
    plan = plan_training(
        opened.images, target, preset, base, spec, state, card, skip_bad=opened.skip_bad, net_choices=net
    )
    if find_rate and state is None:  # a resumed training goes on with the one it has found
        plan = with_found_rate(plan, on_event)
    model = follow(run_plan(plan), plan.spec, out, on_event)
    failed = [*opened.failed, *plan.dataset.failed]
    if failed:
        total = len(opened.images) + len(opened.failed)
        raise PartlyDone(left_out(failed, total, "images could not be trained on"), model)
    return model


def iter_training(
    images: Sequence[AnnotatedImage] | Sequence[PairedImage],
    *,
    target: str = "classes",
    preset: str = "fast",
    base: Model | str | Path | None = None,
    spec: TrainSpec | None = None,
    state: TrainingState | None = None,
    card: Card | None = None,
    class_names: Mapping[int, str] | None = None,
    feed: Feed | None = None,
    net: NetChoices | Mapping[str, Any] | None = None,
) -> Generator[Event]:
    """Train as `train` does, as a generator of events: `Started`, ..., `Checkpoint` with a `Model` each, `Done`.

    Close the generator to stop; the last `Checkpoint.model` is the best model so far.

    Parameters
    ----------
    images
        What is annotated; of the target ``"image"`` pairs of images.
    spec
        Settings; those of the preset if None.
    state, card
        Where an earlier run stopped, and the card of its model.
    class_names
        By predicted value, for the card.
    feed
        Brings what is painted while the training goes on, and says whether it goes on without a limit; of images it
        only says so.
    net
        What of the preset's network is chosen otherwise.
    """
    plan = plan_training(images, target, preset, base, spec, state, card, class_names, feed=feed, net_choices=net)
    yield from run_plan(plan)


def _left_off(out: Path | None, target: str, image: ImageSpec | None) -> tuple[TrainingState, Card, TrainSpec] | None:
    """Where the training beside a model stopped, and its settings; None where there was none."""
    if out is None:
        raise AnnotrainError("To resume training, say which model: give out.")
    found = load_state(out)
    if not found:
        return None
    tensors, card, spec = found
    _check_resumed(card, target, out)
    if target == "image" and image is not None and image != spec.image:
        raise AnnotrainError(
            f"The training to resume beside {out} learns from '{spec.image.learn_from}' with other settings: "
            "leave them out, or train without resume."
        )
    return TrainingState.from_tensors(tensors), card, spec


def _check_settings(spec: TrainSpec, before: TrainSpec, target: str) -> None:
    """Refuse settings that the training to resume cannot go on with."""
    if spec.optimiser != before.optimiser:
        raise AnnotrainError(
            f"The training to resume goes on with the optimiser {before.optimiser}: leave it out, or train without "
            "resume."
        )
    if target == "image" and spec.image != before.image:
        raise AnnotrainError(
            "The training to resume learns with other settings of the target image: leave them out, or train without "
            "resume."
        )


def limits(seconds: float | None, steps: int | None, seed: int, device: str) -> dict[str, Any]:
    """How long to train, from which seed and where, checked, as changes of a `TrainSpec`."""
    if seconds is not None and not 0 < seconds < math.inf:
        raise AnnotrainError(f"Training for {seconds} seconds makes no sense: give a positive number.")
    if steps is not None and steps < 1:
        raise AnnotrainError(f"Training for {steps} steps makes no sense: give a positive number.")
    if not 0 <= seed <= LARGEST_SEED:
        raise AnnotrainError(f"The seed {seed} is negative or too large: give one from 0 to {LARGEST_SEED}.")
    if seconds is None and steps is None:
        seconds = 60.0
    return {"seconds": seconds if steps is None else None, "steps": steps, "seed": seed, "device": device}


def _check_resumed(card: Card, target: str, out: Path) -> None:
    if card.target != target:
        raise AnnotrainError(
            f"The training to resume beside {out} has the target {card.target}: give that one, or train without resume."
        )
