"""Two or more candidates trained on the same annotation or images, judged by the same pixels."""

import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_annotrain.api.candidates import Candidate, Described, read_candidates
from napari_annotrain.api.comparison import Comparison
from napari_annotrain.api.comparison_files import check_folder, save_comparison
from napari_annotrain.api.failures import left_out
from napari_annotrain.api.image_plan import check_image_spec
from napari_annotrain.api.judges import judges_of
from napari_annotrain.api.memory import SHORT_OF_MEMORY
from napari_annotrain.api.plan import Plan
from napari_annotrain.api.sources import Source
from napari_annotrain.api.targets import choose_learning, open_images, plan_training
from napari_annotrain.api.training import limits
from napari_annotrain.api.training_run import SECONDS_BETWEEN_SAVES, run_plan
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.errors import AnnotrainError, PartlyDone, is_out_of_memory
from napari_annotrain.events import Done, Entered, Event, Failed, Note, OnEvent, Step, Told
from napari_annotrain.net.device import choose_device, choose_precision
from napari_annotrain.net.hidden_gpu import why_no_gpu
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import ImageSpec, Target, check_choice
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.training.paired_score import MEASURES
from napari_annotrain.training.parts import step_memory

#: A candidate trains for this share of the whole, or for so many seconds if that is less; then the next one goes on.
TURN_SHARE, TURN_SECONDS = 0.025, 2.0


def compare(
    images: Source,
    annotations: Source | None = None,
    specs: Sequence[Described] | Mapping[str, Described] = ("fast", "standard"),
    target: str = "classes",
    dense: bool = False,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    axes: str | None = None,
    out: str | Path | None = None,
    learn_from: str | None = None,
    image: ImageSpec | None = None,
    on_event: OnEvent | None = None,
) -> Comparison:
    """Train candidates on the same annotation, or the same images, for the same time, and compare them.

    Parameters
    ----------
    images, annotations, target, dense, axes
        As for `train`.
    specs
        Two or more candidates, in a list or by name. Each is the name of a preset or of a model to start from, either
        with changed settings (``"fast:width=32,learning_rate=0.001"``), or a `specs.Preset`.
    seconds, steps
        How long each of them trains, reading excluded; 60 seconds if neither is given, and steps win over seconds.
    seed
        Of all of them.
    out
        Folder for the models, the table (compare.csv), and the table with the curves (compare.json).
    learn_from, image
        As for `train`, of all of them; what a candidate says of its `image` settings itself counts for it, but for
        what it learns from. If neither is given, all learn from what the first one learns from.
    on_event
        Called with every event; those of a candidate come as `events.Told`.

    Returns
    -------
    What came of each, with its model, and which is best by validation.

    Raises
    ------
    AnnotrainError
        Bad input, in one sentence; or none of the candidates could be trained. On Ctrl-C what is there is written to
        `out` before KeyboardInterrupt goes on.
    PartlyDone
        Some files of a folder, or some of the candidates could not be used; `result` holds what came of the others.
    """
    check_choice("target", target, Target)
    choose_device(device)
    limits(seconds, steps, seed, device)
    candidates = read_candidates(specs)
    learning = choose_learning(target, learn_from, image)
    if learn_from is None and image is None:
        learning = _usual(candidates)
    _learnings(candidates, learning)  # refused before anything is read
    if out is not None:
        out = Path(out)
        check_folder(out, candidates)
    opened = open_images(images, annotations, target, axes, dense, learning.learn_from)
    tell = on_event or (lambda event: None)
    hidden = why_no_gpu() if device == "auto" else ""
    for text in (*opened.notes, *([hidden] if hidden else [])):
        tell(Note(text))
    failed = list(opened.failed)
    how = {"target": target, "image": learning, "seconds": seconds, "steps": steps, "seed": seed, "device": device}
    events = iter_comparison(opened.images, candidates, skip_bad=opened.skip_bad, failed=failed, **how)  # type: ignore[arg-type]
    found = _follow(events, out, tell)
    if failed:
        total = len(opened.images) + len(opened.failed)
        raise PartlyDone(left_out(failed, total, "images could not be trained on"), found)
    lost = [one for one in found.contenders if one.failed]
    if lost:
        raise PartlyDone(" ".join(f"{one.name}: {one.failed}" for one in lost), found)
    return found


def iter_comparison(
    images: Sequence[AnnotatedImage] | Sequence[PairedImage],
    specs: Sequence[Described] | Mapping[str, Described],
    *,
    target: str = "classes",
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    image: ImageSpec | None = None,
    class_names: Mapping[int, str] | None = None,
    skip_bad: bool = False,
    failed: list[str] | None = None,
) -> Generator[Event]:
    """Compare as `compare` does, as a generator of events: an `Entered` and many `Told` for each candidate, `Done`.

    Close the generator to stop; `Comparison` gathers what the events tell, also then.

    The candidates train turn by turn, a short while each: whoever is least far goes on. So all of them are seen
    growing, and a computer that is busy for a while slows all of them alike. Their trainings are generators that
    simply wait meanwhile, each with its network in the memory; nothing is saved or read in between, and each takes
    exactly the steps that it would take alone.

    Parameters
    ----------
    image
        Settings of the target ``"image"`` for all of them; what a candidate says itself counts for it. None: all learn
        from what the first one learns from.
    class_names
        By predicted value, for the cards.
    skip_bad
        Leave out images that cannot be used; their names are added to `failed`.
    """
    check_choice("target", target, Target)
    candidates = read_candidates(specs)
    shared = limits(seconds, steps, seed, device) | {"validation": candidates[0].preset.train.validation}
    learnings = _learnings(candidates, image or _usual(candidates))
    found = Comparison()
    with ExitStack() as stack:
        runs = []
        for k, (candidate, learning) in enumerate(zip(candidates, learnings, strict=True)):
            spec = candidate.preset.train.model_copy(update=shared | {"image": learning})
            start = candidate.preset, candidate.base, spec, None, None
            plan = plan_training(images, target, *start, class_names, skip_bad)
            if failed is not None:
                failed += [name for name in plan.dataset.failed if name not in failed]
            runs.append(_Run(k, stack.enter_context(closing(run_plan(plan)))))
            entered = _enter(k, candidate, plan, target)
            found.take(entered)
            yield entered
        said: set[str] = set()
        while going := [run for run in runs if not run.over]:
            run = min(going, key=lambda run: run.fraction)
            for event in run.turn():
                if isinstance(event, Note) and event.text in said:  # another one has said it of the same annotation
                    continue
                said |= {event.text} if isinstance(event, Note) else set()
                told = Told(run.candidate, event)
                found.take(told)
                yield told
    if all(one.failed for one in found.contenders):
        raise AnnotrainError(found.contenders[0].failed)
    yield Done(found)


@dataclass(eq=False)
class _Run:
    """The training of one candidate, which waits between its turns."""

    candidate: int
    events: Generator[Event]
    fraction: float = 0.0
    seconds: float = 0.0
    over: bool = False

    def turn(self) -> Iterator[Event]:
        """Go on for a while; at the limit to the very end. What stops this one does not stop the others."""
        fraction, seconds = self.fraction + TURN_SHARE, self.seconds + TURN_SECONDS
        try:
            for event in self.events:
                yield Done(None) if isinstance(event, Done) else event
                if isinstance(event, Step):
                    self.fraction, self.seconds = event.fraction, event.seconds
                    if self.fraction < 1 and (self.fraction >= fraction or self.seconds >= seconds):
                        return
        except (AnnotrainError, MemoryError, RuntimeError) as error:
            if not isinstance(error, AnnotrainError) and not is_out_of_memory(error):
                raise
            words = str(error) if isinstance(error, AnnotrainError) else SHORT_OF_MEMORY
            yield Failed(words, traceback.format_exc())
        self.over = True


def _usual(candidates: Sequence[Candidate]) -> ImageSpec:
    """Nobody says how images are learnt: from what the first one learns from."""
    return ImageSpec(learn_from=candidates[0].preset.train.image.learn_from)


def _learnings(candidates: Sequence[Candidate], shared: ImageSpec) -> list[ImageSpec]:
    """Of each, the settings of all but for what it says itself; what they learn from is the same.

    Raises
    ------
    AnnotrainError
        Those of a candidate do not go together.
    """
    found = []
    for candidate in candidates:
        own = candidate.preset.train.image
        said = {name: getattr(own, name) for name in own.model_fields_set if name != "learn_from"}
        try:
            found.append(check_image_spec(shared.model_copy(update=said)))
        except AnnotrainError as error:
            raise AnnotrainError(f"{candidate.name}: {error}") from None
    return found


def _enter(k: int, candidate: Candidate, plan: Plan, target: str) -> Entered:
    net, spec, tiling = plan.net, plan.spec, geometry(plan.net)
    with torch.device("meta"):  # no weights are drawn
        n_weights = sum(p.numel() for p in UNet(net).parameters())
    patch = tiling.round_up(spec.patch) if net.padding == "same" else tiling.read_size(spec.patch)
    precision = choose_precision(spec.precision, choose_device(spec.device))
    measure = MEASURES[spec.image.learn_from] if target == "image" else "IoU"
    memory = round(step_memory(net, n_weights, patch, spec.batch, precision))
    return Entered(
        k, candidate.name, n_weights, round(tiling.reach / plan.card.scale), memory, judges_of(plan), target, measure
    )


def _follow(events: Generator[Event], out: Path | None, tell: OnEvent) -> Comparison:
    """Read the events to their end, saving now and then; whatever ends the run, what is there is kept."""
    found, saved, finished = Comparison(), 0.0, False
    try:
        for event in events:
            found.take(event)
            tell(event)
            now = sum(one.seconds for one in found.contenders)
            if out is not None and now - saved >= SECONDS_BETWEEN_SAVES:
                saved = now
                save_comparison(found, out, finished=False)
        finished = True
    except KeyboardInterrupt:
        kept = out is not None and any(one.model is not None for one in found.contenders)
        raise KeyboardInterrupt(f"Interrupted; what was trained so far is in {out}." if kept else "") from None
    finally:
        events.close()
        if out is not None and any(one.model is not None for one in found.contenders):
            save_comparison(found, out, finished)
    return found
