from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_annotrain._qt.combos import ChoiceCombo
from napari_annotrain._qt.corrections_plot import CorrectionsPlot
from napari_annotrain._qt.form import SpecForm
from napari_annotrain._qt.layout import allow, button, column_of, faint_label, form_layout, row_of, words
from napari_annotrain._qt.more import MoreSettings
from napari_annotrain._qt.plot import LossPlot
from napari_annotrain._qt.rates import RateSearch
from napari_annotrain.specs import PRESETS, Device, NetSpec, TrainSpec

#: What `preset_combo` holds while training goes on from a model, whose network cannot be chosen.
OWN_NETWORK = "own"


class TrainStep(QWidget):
    """Where training starts from, how it runs, and the learning curve."""

    train_clicked = Signal()
    stop_clicked = Signal()
    base_changed = Signal(object)
    preset_changed = Signal(object)
    device_changed = Signal(object)
    spec_changed = Signal(object)
    net_changed = Signal(object)
    weights_clicked = Signal()
    keep_toggled = Signal(bool)
    augmentation_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.base_combo = ChoiceCombo("base_combo", [("none", "nothing")])
        self.base_combo.setToolTip("nothing: learn from your annotation alone. A model: go on from what it knows.")
        self.preset_combo = ChoiceCombo("preset_combo", [(key, key) for key in PRESETS])
        self.preset_combo.setToolTip("\n".join(preset.title for preset in PRESETS.values()))
        self.device_combo = ChoiceCombo("device_combo", [("auto", "Automatic")])
        self.device_combo.setToolTip("What computes. Automatic takes a GPU where there is one that works.")
        self.device_note = faint_label(name="device_note")
        self.device_note.hide()
        self.train_button = button("train_button", "Train", "Learns from what is painted (key T). Paint on meanwhile.")
        self.stop_button = button("stop_button", "Stop", "Ends training; the best model so far is kept.")
        self.keep_check = QCheckBox("Keep training while I paint")
        self.keep_check.setObjectName("keep_training_check")
        self.keep_check.setToolTip(
            "Training goes on until you press Stop. What you paint or erase meanwhile is learnt within seconds,\n"
            "is shown to the network more often for a while, and the labels in view follow."
        )
        self.keep_check.setProperty("tip", self.keep_check.toolTip())
        self.loss_plot = LossPlot()
        self.corrections_plot = CorrectionsPlot()
        self.corrections_plot.setToolTip(
            "How much of what you annotated since the training before the model had got wrong there: measured before\n"
            "it learns from it, so that it cannot know it yet. What you paint and what you accept both count."
        )
        self.run_label = faint_label(name="run_label")
        self.run_label.hide()
        self.basic_form = SpecForm(TrainSpec(), only=("seconds",))
        self.border_weights_button = button(
            "border_weights_button",
            "Show border weights",
            "Shows as a layer where training is told to be careful: the brighter a painted gap, the more it counts.\n"
            "Cells may merge where the gap between them stays dark: paint background there and press again, or\n"
            "raise the border weight w0 or the border width under More settings, which the layer follows.",
        )
        self.augmentation_button = button(
            "augmentation_preview_button",
            "Show how images are deformed",
            "Opens a window with a place that you annotated, deformed as training deforms it. It follows the settings\n"
            "below, and warns where gaps between neighbouring cells close.",
        )
        self.augmentation_button.setCheckable(True)
        self.rate = RateSearch()
        self.more = MoreSettings(
            "more_train_button",
            TrainSpec(),
            hide=("device", "seconds"),
            beside=self.border_weights_button,
            inside=column_of(self.augmentation_button, self.rate),
        )
        self.network = MoreSettings(
            "network_parts_button",
            NetSpec(),
            hide=("channels", "outputs", "ndim"),
            title="Parts of the network",
            why="How the network is built, part by part: to see what each does on your own image.",
            back="Back to the preset's network",
        )
        self._build()
        self._connect()

    def _build(self) -> None:
        form = form_layout()
        form.addRow(words("Start from"), self.base_combo)
        form.addRow(words("Network"), self.preset_combo)
        form.addRow(words("Device"), self.device_combo)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 2, 4, 8)
        whole.setSpacing(5)
        whole.addLayout(form)
        whole.addWidget(self.device_note)
        whole.addWidget(self.basic_form)
        whole.addWidget(row_of((self.train_button, 3), (self.stop_button, 1)))
        whole.addWidget(self.keep_check)
        whole.addWidget(self.loss_plot)
        whole.addWidget(self.run_label)
        whole.addWidget(self.corrections_plot)
        whole.addWidget(self.more)
        whole.addWidget(self.network)

    def _connect(self) -> None:
        self.train_button.clicked.connect(lambda: self.train_clicked.emit())
        self.stop_button.clicked.connect(lambda: self.stop_clicked.emit())
        self.border_weights_button.clicked.connect(lambda: self.weights_clicked.emit())
        self.augmentation_button.toggled.connect(self.augmentation_toggled)
        self.keep_check.toggled.connect(self.keep_toggled)
        self.base_combo.choice_changed.connect(self.base_changed)
        self.preset_combo.choice_changed.connect(self.preset_changed)
        self.device_combo.choice_changed.connect(self.device_changed)
        self.basic_form.changed.connect(self.spec_changed)
        self.more.changed.connect(self.spec_changed)
        self.network.changed.connect(self.net_changed)

    def set_bases(self, bases: Sequence[tuple[str, str]], chosen: str) -> None:
        """Offer what to start from, name and words, and show what is chosen; nothing is told."""
        with QSignalBlocker(self.base_combo):
            self.base_combo.set_choices(bases)
            self.base_combo.choose(chosen)

    def show_network(self, preset: str, whose: str = "") -> None:
        """Show the network in use: that of a preset, or the one of the model `whose` name is given; nothing is told."""
        own = [(OWN_NETWORK, f"that of {whose}")] if whose else []
        with QSignalBlocker(self.preset_combo):
            self.preset_combo.set_choices([*own, *((key, key) for key in PRESETS)])
            self.preset_combo.choose(OWN_NETWORK if whose else preset)

    def set_run_line(self, text: str) -> None:
        """Say how the run is going: elapsed, steps, device, time left."""
        self.run_label.setText(text)
        self.run_label.setVisible(bool(text))

    def set_devices(self, devices: Sequence[tuple[Device, str]], note: str = "") -> None:
        """Offer devices, value and words, with a note on one that cannot be used."""
        self.device_combo.set_choices(devices)
        self.device_note.setText(note)
        self.device_note.setVisible(bool(note))

    def set_spec(self, spec: TrainSpec, new_default: bool = False) -> None:
        """Show settings; as `new_default` they are also what the reset button goes back to."""
        self.more.set_spec(spec, new_default)
        self.basic_form.set_value(spec) if new_default else self.basic_form.show_value(spec)

    def set_net(self, net: NetSpec, new_default: bool = False) -> None:
        """Show how the network is built; as `new_default` that is also what the reset button goes back to."""
        self.network.set_spec(net, new_default)

    def set_running(self, running: bool, why_not_train: str, why_not_stop: str) -> None:
        """Enable what can be done now; what cannot says why."""
        allow(self.train_button, why_not_train)
        allow(self.stop_button, why_not_stop)
        for widget in (self.base_combo, self.preset_combo, self.device_combo):
            widget.setEnabled(not running)
        endless = (
            "Training goes on until you press Stop."
            if self.keep_check.isChecked() and self.keep_check.isEnabled()
            else ""
        )
        allow(self.basic_form, "A training is going on." if running else endless)
        self.more.set_editable(not running)
        self.network.set_editable(not running)
