import pytest
from qtpy.QtWidgets import QDoubleSpinBox

from napari_annotrain._qt.form import SpecForm
from napari_annotrain.specs import PRESETS, NetSpec, PredictSpec, TrainSpec


def native(form, name):
    return form._fields[name]._native


@pytest.mark.parametrize("spec", [TrainSpec(), PredictSpec(), *(preset.train for preset in PRESETS.values())])
def test_a_form_shows_the_settings_it_was_grown_from_without_changing_them(qtbot, spec):
    form = SpecForm(spec)
    qtbot.addWidget(form)
    form._edited()  # read every entry back
    assert form.value() == spec
    assert form.problem_label.isHidden()


def test_title_unit_range_and_reason_come_from_the_spec(qtbot):
    form = SpecForm(TrainSpec())
    qtbot.addWidget(form)
    field, box = form._fields["seconds"], native(form, "seconds")
    assert isinstance(box, QDoubleSpinBox)
    assert box.suffix() == " s"
    assert "Training stops after this." in field.toolTip()
    assert form._fields["patch"].title == "Patch (px)"
    assert native(form, "patch").minimum() == 16
    assert native(form, "patch").maximum() == 2048


def test_a_smaller_number_than_usual_is_shown_with_all_its_digits(qtbot):
    form = SpecForm(TrainSpec())
    qtbot.addWidget(form)
    form.show_value(TrainSpec(learning_rate=1.3e-6))
    form._edited()
    assert form.value().learning_rate == 1.3e-6


def test_an_edit_gives_new_settings(qtbot):
    form = SpecForm(TrainSpec())
    qtbot.addWidget(form)
    with qtbot.waitSignal(form.changed) as told:
        form._fields["batch"]._entry.value = 3
    assert told.args[0] == TrainSpec(batch=3)


def test_groups_are_part_of_the_settings(qtbot):
    form = SpecForm(TrainSpec())
    qtbot.addWidget(form)
    with qtbot.waitSignal(form.changed):
        form._groups["augment"]._fields["flip"]._entry.value = False
    assert form.value().augment.flip is False
    assert form.value().batch == TrainSpec().batch


def test_what_may_be_left_out_has_a_check_box(qtbot):
    form = SpecForm(TrainSpec())
    qtbot.addWidget(form)
    form._fields["steps"]._check.setChecked(True)
    assert form.value().steps == 1
    form._fields["seconds"]._check.setChecked(False)
    assert form.value().seconds is None


def test_settings_that_make_no_sense_are_refused_in_words(qtbot):
    form = SpecForm(TrainSpec())
    qtbot.addWidget(form)
    with qtbot.assertNotEmitted(form.changed):
        form._fields["seconds"]._check.setChecked(False)  # neither time nor steps
    assert "give seconds or steps" in form.problem_label.text()
    assert form.value() == TrainSpec()


def test_a_number_or_a_word(qtbot):
    form = SpecForm(PredictSpec(), only=("tile",))
    qtbot.addWidget(form)
    entry = form._fields["tile"]._entry
    for text, value in (("512", 512), ("whole", "whole")):
        entry.setText(text)
        entry.editingFinished.emit()
        assert form.value().tile == value
    entry.setText("large")
    entry.editingFinished.emit()
    assert not form.problem_label.isHidden()
    assert form.value().tile == "whole"


def test_reset_goes_back(qtbot):
    form = SpecForm(TrainSpec())
    qtbot.addWidget(form)
    button = form.add_reset("Back")
    form._fields["batch"]._entry.value = 3
    form._groups["weights"]._fields["border"]._entry.value = 1
    button.click()
    assert form.value() == TrainSpec()
    assert form._fields["batch"]._entry.value == TrainSpec().batch


def test_memory_is_entered_in_gigabytes(qtbot):
    form = SpecForm(PredictSpec(), only=("memory",))
    qtbot.addWidget(form)
    assert native(form, "memory").text() == "2.0 GB"
    assert form._fields["memory"].title == "Memory"
    form._fields["memory"]._entry.value = 3.5
    assert form.value().memory == 3_500_000_000


def test_parts_that_do_not_go_together_are_refused_in_words_in_place(qtbot):
    form = SpecForm(NetSpec(), hide=("channels", "outputs", "ndim"))
    qtbot.addWidget(form)
    form._fields["up"]._entry.value = "unpool"
    assert form.value().up == "unpool"
    with qtbot.assertNotEmitted(form.changed):
        form._fields["down"]._entry.value = "average"
    assert form.problem_label.text() == (
        "Unpooling needs to know where the largest pixels were: choose max as way down."
    )
    form._fields["up"]._entry.value = "nearest3"
    assert form.problem_label.isHidden()
    assert form.value() == NetSpec(up="nearest3", down="average")
