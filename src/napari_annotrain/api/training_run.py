from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from napari_annotrain.api.plan import Plan, grown_card
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Checkpoint, Done, Event, Grown, OnEvent, Started, Validated
from napari_annotrain.net.model import Card, Model
from napari_annotrain.specs import TrainSpec
from napari_annotrain.store.models import save_model
from napari_annotrain.store.states import save_state
from napari_annotrain.training.trainer import fit

#: The model and its training state are written this often while training, at least, in seconds of training.
SECONDS_BETWEEN_SAVES = 20.0


def run_plan(plan: Plan) -> Generator[Event]:
    """Events of `fit` and a last `Done`, with the weights of each checkpoint made into a whole model."""
    scores: dict[str, Any] = {}
    model, card = None, plan.card
    if plan.state is not None and plan.state.best is not None:
        scores = {_score_name(card): round(plan.state.best_score, 4)}
    start = plan.base.weights if plan.base else None
    run = fit(plan.dataset, plan.net, plan.spec, start=start, state=plan.state, anchor=plan.anchor, growth=plan.growth)
    with closing(run) as events:
        for event in events:
            if isinstance(event, Started):
                card = _with_provenance(card, device=event.device, precision=event.precision)
            elif isinstance(event, Grown):
                card = grown_card(card, event.dataset)
            elif isinstance(event, Validated) and event.kept:
                scores = {_score_name(card): round(event.score, 4), "validation_step": event.step}
            elif isinstance(event, Checkpoint):
                progress = {"steps": event.state.step, "seconds": round(event.state.seconds, 1)}
                known = card.model_copy(update={"threshold": event.threshold})
                model = Model(_with_provenance(known, **progress, **scores), event.model)
                event = Checkpoint(event.step, model, event.state)
            yield event
    yield Done(model)


def _score_name(card: Card) -> str:
    return "validation_psnr_db" if card.target == "image" else "validation_iou"


def follow(events: Generator[Event], spec: TrainSpec, out: Path | None, on_event: OnEvent | None) -> Model:
    """Read the events to their end, saving now and then; whatever ends the run, what is best so far is kept."""
    last: Checkpoint | None = None
    saved = 0.0
    tell = on_event or (lambda event: None)
    try:
        for event in events:
            if isinstance(event, Checkpoint):
                last = event
                if out is not None and event.state.seconds - saved >= SECONDS_BETWEEN_SAVES:
                    saved = event.state.seconds
                    _save(last, spec, out)
            tell(event)
    except KeyboardInterrupt:
        kept = out is not None and last is not None
        raise KeyboardInterrupt(f"Interrupted; the best model so far is in {out}." if kept else "") from None
    finally:
        events.close()
        if out is not None and last is not None:
            _save(last, spec, out)
    if last is None:
        raise AnnotrainError("Training ended before its first step: give more seconds.")
    return last.model  # type: ignore[no-any-return]


def _save(checkpoint: Checkpoint, spec: TrainSpec, out: Path) -> None:
    save_model(checkpoint.model, out)
    save_state(checkpoint.state.tensors(), checkpoint.model.card, spec, out)


def _with_provenance(card: Card, **more: Any) -> Card:
    return card.model_copy(update={"provenance": card.provenance | more})
