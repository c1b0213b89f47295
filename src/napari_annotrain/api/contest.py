"""Two or more candidates trained on the same annotation, judged by the same pixels."""

import csv
import json
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch

from napari_annotrain.api.candidates import Candidate, Described, file_stems, read_candidates
from napari_annotrain.api.comparison import COLUMNS, Comparison
from napari_annotrain.api.failures import left_out
from napari_annotrain.api.memory import SHORT_OF_MEMORY
from napari_annotrain.api.plan import Plan, make_plan
from napari_annotrain.api.sources import Source, annotated_images
from napari_annotrain.api.training import limits
from napari_annotrain.api.training_run import SECONDS_BETWEEN_SAVES, run_plan
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.data.places import beside, check_place, check_way
from napari_annotrain.errors import AnnotrainError, PartlyDone, is_out_of_memory
from napari_annotrain.events import Done, Entered, Event, Failed, Note, OnEvent, Step, Told
from napari_annotrain.net.device import choose_device, choose_precision
from napari_annotrain.net.hidden_gpu import why_no_gpu
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import Target, check_choice
from napari_annotrain.store.models import SUFFIX, check_model_path, save_model
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.training.parts import step_memory

#: A candidate trains for this share of the whole, or for so many seconds if that is less; then the next one goes on.
TURN_SHARE, TURN_SECONDS = 0.025, 2.0
TABLE, RECORD = "compare.csv", "compare.json"


def compare(
    images: Source,
    annotations: Source,
    specs: Sequence[Described] | Mapping[str, Described] = ("fast", "standard"),
    target: str = "classes",
    dense: bool = False,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    axes: str | None = None,
    out: str | Path | None = None,
    on_event: OnEvent | None = None,
) -> Comparison:
    """Train candidates on the same annotation for the same time, and compare them.

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
    _check_target(target)
    choose_device(device)
    limits(seconds, steps, seed, device)
    candidates = read_candidates(specs)
    if out is not None:
        out = Path(out)
        _check_folder(out, candidates)
    opened = annotated_images(images, annotations, axes, dense)
    tell = on_event or (lambda event: None)
    hidden = why_no_gpu() if device == "auto" else ""
    for text in (*opened.notes, *([hidden] if hidden else [])):
        tell(Note(text))
    failed = list(opened.failed)
    how = {"target": target, "seconds": seconds, "steps": steps, "seed": seed, "device": device}
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
    images: Sequence[AnnotatedImage],
    specs: Sequence[Described] | Mapping[str, Described],
    *,
    target: str = "classes",
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
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
    class_names
        By predicted value, for the cards.
    skip_bad
        Leave out images that cannot be used; their names are added to `failed`.
    """
    _check_target(target)
    candidates = read_candidates(specs)
    shared = limits(seconds, steps, seed, device) | {"validation": candidates[0].preset.train.validation}
    found = Comparison()
    with ExitStack() as stack:
        runs = []
        for k, candidate in enumerate(candidates):
            spec = candidate.preset.train.model_copy(update=shared)
            plan = make_plan(images, target, candidate.preset, candidate.base, spec, None, None, class_names, skip_bad)
            if failed is not None:
                failed += [name for name in plan.dataset.failed if name not in failed]
            runs.append(_Run(k, stack.enter_context(closing(run_plan(plan)))))
            entered = _enter(k, candidate, plan)
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


def _check_target(target: str) -> None:
    check_choice("target", target, Target)
    if target == "image":
        raise AnnotrainError("Networks that make images cannot be compared yet: choose classes or cells.")


def _enter(k: int, candidate: Candidate, plan: Plan) -> Entered:
    net, spec, tiling = plan.net, plan.spec, geometry(plan.net)
    with torch.device("meta"):  # no weights are drawn
        n_weights = sum(p.numel() for p in UNet(net).parameters())
    patch = tiling.round_up(spec.patch) if net.padding == "same" else tiling.read_size(spec.patch)
    precision = choose_precision(spec.precision, choose_device(spec.device))
    memory = round(step_memory(net, n_weights, patch, spec.batch, precision))
    return Entered(k, candidate.name, n_weights, round(tiling.reach / plan.card.scale), memory, _judges(plan.dataset))


def _judges(dataset: AnnotatedDataset | PairedDataset) -> str:
    """Stands for the validation pixels and what is annotated there; empty where there are none."""
    assert isinstance(dataset, AnnotatedDataset)
    areas = [area for area in dataset.areas if area.held_out.any()]
    hashed = blake2b(digest_size=8)
    for area in areas:
        hashed.update(repr((area.key, area.t, area.z, area.box)).encode())
        hashed.update(area.held_out.tobytes() + area.target[area.held_out].tobytes())
    return hashed.hexdigest() if areas else ""


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


def save_comparison(found: Comparison, out: Path, finished: bool = True) -> None:
    """Write the models there are, the table, and the table with the curves; each file is complete or not there.

    Raises
    ------
    AnnotrainError
        The folder cannot be written.
    """
    stems = file_stems([one.name for one in found.contenders])
    for stem, one in zip(stems, found.contenders, strict=True):
        if one.model is not None:
            save_model(one.model, out / (stem + SUFFIX))
    rows = found.rows(lambda k: stems[k] + SUFFIX)
    with beside(out / TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    record = {
        "finished": finished,
        "verdict": found.verdict(),
        "candidates": [
            row
            | {
                "device": one.device,
                "notes": one.notes,
                "validation_pixels": one.judged_by,
                "losses": [[round(t, 3), round(loss, 5)] for t, loss in one.losses],
                "scores": [[round(t, 3), round(score, 5)] for t, score in one.scores],
            }
            for row, one in zip(rows, found.contenders, strict=True)
        ],
    }
    with beside(out / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _check_folder(out: Path, candidates: Sequence[Candidate]) -> None:
    if out.exists() and not out.is_dir():
        raise AnnotrainError(f"{out} is a file: choose a folder for what is compared.")
    for stem in file_stems([one.name for one in candidates]):
        check_model_path(out / (stem + SUFFIX))
    for name in (TABLE, RECORD):
        check_place(out / name)
        check_way(out / name, store=False, overwrite=True)
