from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme

from napari_annotrain._napari.keys import all_keys, in_words, label_key
from napari_annotrain._qt.annotate import ClassRow
from napari_annotrain._qt.layout import allow
from napari_annotrain._qt.palette import BACKGROUND, Theme, class_colour
from napari_annotrain._qt.panel import Panel
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session import (
    Facts,
    shares_of,
    what_next,
    when_to_stop,
    why_not_accept,
    why_not_doubt,
    why_not_labels,
    why_not_paint,
    why_not_predict,
    why_not_train,
    why_not_weigh,
)

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

NEXT_CELL = -1


def layer_emitters(viewer: Any) -> list[Any]:
    """What napari tells when layers come, go, move or change their name."""
    events = viewer.layers.events
    return [events.inserted, events.removed, events.reordered, events.renamed]


def theme_of(viewer: Any) -> Theme:
    """Colours of napari's theme."""
    theme = get_theme(viewer.theme)
    names = {"background": "background", "foreground": "foreground", "text": "text", "faint": "icon"}
    colours = {ours: getattr(theme, theirs).as_hex("long") for ours, theirs in names.items()}
    return Theme(**colours)


def connect(controller: "Controller", panel: Panel) -> None:
    """Signals of the panel to commands of the controller; a failing command becomes a sentence."""
    guarded, image, annotate, train, predict = (
        controller.guarded,
        panel.image,
        panel.annotate,
        panel.train,
        panel.predict,
    )
    for signal, command in (
        (panel.session.reopen_clicked, controller.keeping.reopen),
        (panel.session.not_now_clicked, controller.keeping.decline),
        (panel.session.open_clicked, controller.keeping.choose),
        (panel.session.export_clicked, controller.keeping.export),
        (panel.session.bring_back_clicked, controller.keeping.bring_back),
        (panel.first_steps.closed, controller.beginning.close),
        (image.image_changed, controller.choose_image),
        (image.axes_edited, controller.set_axes),
        (image.training_ticked, controller.tick),
        (annotate.target_changed, controller.paint.set_target),
        (annotate.learn_from_changed, controller.image_target.set_learn_from),
        (annotate.annotation_changed, controller.choose_annotation),
        (annotate.new_annotation, controller.paint.new_annotation),
        (annotate.region_wanted, controller.paint.draw_region),
        (annotate.class_added, controller.paint.add_class),
        (annotate.class_chosen, controller.paint.select_value),
        (annotate.class_renamed, controller.paint.rename_class),
        (annotate.classes.deleted, controller.classes.delete),
        (annotate.classes.merged, controller.classes.merge),
        (annotate.classes.coloured, controller.classes.recolour),
        (annotate.accept_wanted, controller.accept.here),
        (annotate.meaning.first_clicked, controller.meaning.number),
        (annotate.meaning.second_clicked, controller.meaning.back),
        (annotate.tools.chosen, controller.edit.take),
        (annotate.next_wanted, controller.doubts.next),
        (annotate.suspects_wanted, controller.suspects.start),
        (annotate.suspects.chosen, controller.suspects.go),
        (annotate.suspects.refused, controller.suspects.unannotate),
        (annotate.suspects.closed, controller.suspects.close),
        (train.train_clicked, controller.train.start),
        (train.stop_clicked, controller.train.stop),
        (train.base_changed, controller.train.set_base),
        (train.preset_changed, controller.train.set_preset),
        (train.net_changed, controller.train.set_net),
        (train.device_changed, controller.train.set_device),
        (train.spec_changed, controller.train.set_spec),
        (train.keep_toggled, controller.keep.set_on),
        (panel.models.changes_toggled, controller.changes.set_on),
        (panel.models.inside_toggled, controller.inside.set_on),
        (panel.models.inside.level_changed, controller.inside.choose_level),
        (panel.models.inside.map_changed, controller.inside.choose_map),
        (train.augmentation_toggled, controller.augment.set_on),
        (train.rate.wanted, controller.rate.start),
        (panel.models.model_chosen, controller.models.choose),
        (panel.models.open_clicked, controller.models.open),
        (panel.models.save_clicked, controller.models.save),
        (panel.models.compare.start_clicked, controller.compare.start),
        (panel.models.compare.stop_clicked, controller.compare.stop),
        (panel.models.compare.use_clicked, controller.compare.use),
        (panel.models.compare.row_chosen, controller.compare.choose),
        (panel.models.compare.labels_toggled, controller.compare.set_labels_on),
        (panel.models.compare.ticked, controller.refresh),
        (train.weights_clicked, controller.borders.start),
        (predict.predict_clicked, controller.predict.start),
        (predict.cancel_clicked, controller.predict.cancel),
        (predict.check_clicked, controller.seams.start),
        (predict.live_toggled, controller.predict.set_live),
        (predict.output_changed, controller.predict.set_output),
        (predict.spec_changed, controller.predict.set_spec),
        (predict.cells_changed, controller.predict.set_cells),
        (panel.measure.labels_changed, controller.measure.choose_labels),
        (panel.measure.measure_clicked, controller.measure.start),
        (panel.measure.cancel_clicked, controller.measure.cancel),
        (panel.measure.row_chosen, controller.measure.go),
        (panel.measure.save_table_clicked, controller.measure.save_table),
        (panel.measure.save_rois_clicked, controller.measure.save_rois),
    ):
        signal.connect(guarded(command))
    panel.keys_window.set_keys(all_keys())


def show(controller: "Controller", panel: Panel, facts: Facts) -> None:
    """Bring rows, summaries, tips and buttons up to date."""
    _show_image(controller, panel)
    panel.predict.set_stack(facts.planes > 1)
    controller.classes.recall(facts.painted or {})
    panel.annotate.set_rows(class_rows(controller, facts))
    controller.image_target.show()
    panel.annotate.add_class_button.setVisible(facts.target == "classes")
    panel.annotate.tools.set_cells(facts.target == "cells")
    if controller.annotation is not None:
        panel.annotate.select_value(controller.annotation.selected_label)
    session = controller.session
    tip = what_next(facts) if session.status and session.activity != "training" else ""  # else the status line says it
    panel.annotate.tip_label.setText(tip)
    panel.annotate.tip_label.setVisible(bool(tip))
    no_image = "" if facts.image else "Open an image first."
    allow(panel.annotate.new_annotation_button, no_image)
    allow(panel.annotate.complete_region_button, no_image)
    _show_buttons(controller, panel, facts)
    _show_summaries(controller, panel, facts)
    controller.meaning.show()
    controller.measure.show()
    controller.beginning.show(facts)


def _show_image(controller: "Controller", panel: Panel) -> None:
    if controller.image is None:
        panel.image.set_axes("", "")
        panel.set_summary("Image", "none open")
        return
    try:
        axes = controller.roster.axes(controller.image)
        words = size_in_words(controller.roster.stack(controller.image))
    except AnnotrainError as error:
        panel.image.set_axes("?", str(error), problem=True)
        panel.set_summary("Image", "cannot be used")
        return
    panel.image.set_axes(axes, words)
    panel.set_summary("Image", f"{controller.image.name} · {words}")


def size_in_words(stack: Stack) -> str:
    """Such as "40×2048×2048 px · 2 channels · 0.11 µm"."""
    words = "×".join(str(n) for n in stack.label_shape) + " px"
    if stack.n_channels > 1:
        words += f" · {stack.n_channels} channels"
    if "X" in stack.pixel_um:
        words += f" · {stack.pixel_um['X']:.3g}\N{NO-BREAK SPACE}µm"
    return words


def class_rows(controller: "Controller", facts: Facts) -> list[ClassRow]:
    """Rows of the class table."""
    painted = dict(facts.painted or {})
    names, own = controller.session.class_names, controller.session.class_colours
    first = ClassRow(1, names.get(0, "background"), own.get(0, BACKGROUND), pixels(painted.get(1, 0)), key_words(1))
    if facts.target == "cells":
        cells = [value for value in painted if value > 1]
        amount = f"{len(cells):,} cell{'' if len(cells) == 1 else 's'}"
        return [first, ClassRow(NEXT_CELL, "next cell", class_colour(1), amount, "M", editable=False)]
    values = sorted({v for v in names if v > 0} | {v - 1 for v in painted if v > 1})[:60]
    rows = [
        ClassRow(
            v + 1,
            names.get(v, f"class {v}"),
            own.get(v, class_colour(v)),
            pixels(painted.get(v + 1, 0)),
            key_words(v + 1),
        )
        for v in values
    ]
    return [first, *rows]


def key_words(value: int) -> str:
    """The key of a row, as people write it."""
    return in_words(label_key(value))


def pixels(n: int) -> str:
    """Such as "1,840 px"."""
    return f"{n:,} px" if n < 1_000_000 else f"{n / 1_000_000:.1f} Mpx"


def _show_buttons(controller: "Controller", panel: Panel, facts: Facts) -> None:
    activity = controller.session.activity
    what = {"training": "training", "predicting": "prediction", "comparing": "comparison"}.get(activity, "")
    running = f"A {what} is going on." if what else ""
    ending = "It ends after the present step." if controller.lane.stopping else ""
    no_training = "" if activity == "training" else "Nothing is being trained."
    predicting = activity == "predicting" or (activity == "idle" and controller.predict.under_way)
    no_prediction = "" if predicting else "Nothing is being predicted."
    panel.train.set_running(bool(running), running or why_not_train(facts), no_training or ending)
    controller.models.show(running)
    controller.compare.show(facts, running, ending)
    rounds = controller.session.rounds
    panel.train.corrections_plot.show_rounds(shares_of(rounds), when_to_stop(rounds))
    allow(panel.train.augmentation_button, why_not_weigh(facts))
    allow(panel.train.rate.button, running or why_not_train(facts) or why_not_labels(facts))
    allow(panel.train.border_weights_button, why_not_weigh(facts))
    panel.annotate.tools.allow(why_not_paint(facts), why_not_accept(facts))
    allow(panel.annotate.accept_view_button, why_not_accept(facts))
    used = controller.session.model
    sure = why_not_predict(facts) or why_not_doubt(used.model.card.target if used is not None else "")
    allow(panel.annotate.where_next_button, sure or ("" if controller.doubts.searching else running))
    allow(panel.annotate.suspects_button, running or sure or why_not_paint(facts))
    only_one = "" if len(controller.roster.images()) > 1 else "There is only one image."
    panel.predict.set_running(running or why_not_predict(facts), only_one, no_prediction or ending)


def _show_summaries(controller: "Controller", panel: Panel, facts: Facts) -> None:
    painted = dict(facts.painted or {})
    parts = []
    if facts.annotation:
        n = sum(1 for value, count in painted.items() if value > 1 and count)
        kind = "cell" if facts.target == "cells" else ("class", "classes")[n != 1]
        parts.append(f"{n:,} {kind}{'s' if facts.target == 'cells' and n != 1 else ''}")
        parts.append(f"{pixels(sum(painted.values()))} painted")
    if facts.regions:
        parts.append(f"{facts.regions} region{'s' if facts.regions != 1 else ''}")
    words = controller.image_target.summary() if facts.target == "image" else " · ".join(parts)
    panel.set_summary("Annotate", words or "nothing yet")
    model = controller.session.model
    if controller.session.activity != "training":
        panel.set_summary("Train", model_in_words(model) if model is not None else "no model yet")
    if not facts.predicted and panel.folds["Predict"].summary().endswith("done"):
        panel.set_summary("Predict", "")  # what was predicted is removed


def model_in_words(model: Any) -> str:
    """A model's name and score."""
    return " · ".join(word for word in (model.name, model.score_words) if word)
