from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_annotrain._qt.annotate import AnnotateStep
from napari_annotrain._qt.first_steps import FirstStepsCard
from napari_annotrain._qt.fold import Fold, WheelGuard
from napari_annotrain._qt.image import ImageStep
from napari_annotrain._qt.keys import KeysWindow
from napari_annotrain._qt.layout import button, scrolling
from napari_annotrain._qt.measure import MeasureStep
from napari_annotrain._qt.models import ModelsStep
from napari_annotrain._qt.palette import Theme, style
from napari_annotrain._qt.predict import PredictStep
from napari_annotrain._qt.session import SessionRow
from napari_annotrain._qt.train import TrainStep

WIDTH, HEIGHT = 360, 760
LEAST_WIDTH = 260


class Panel(QWidget):
    """Five steps that fold, from top to bottom in the order the data flows, over a line that says what happens.

    A view: the steps' signals go up, setters go down; it decides nothing.
    """

    left = Signal()
    joined = Signal()
    said = Signal(str, bool)
    styled = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("annotrain_panel")
        self.session = SessionRow()
        self.first_steps = FirstStepsCard()
        self.image = ImageStep()
        self.annotate = AnnotateStep()
        self.train = TrainStep()
        self.models = ModelsStep()
        self.predict = PredictStep()
        self.measure = MeasureStep()
        steps = {"Image": self.image, "Annotate": self.annotate, "Train": self.train, "Models": self.models}
        steps |= {"Predict": self.predict, "Measure": self.measure}
        self.folds = {title: Fold(i, title, step) for i, (title, step) in enumerate(steps.items(), 1)}
        for title in ("Models", "Measure"):
            self.folds[title].set_open(False)
        self.status_label, self._foot = status_line()
        self.keys_button = button("keys_button", "Keys", "Shows the keys for all of this.")
        self.keys_window = KeysWindow(self)
        self.keys_button.clicked.connect(lambda: self.keys_window.setVisible(not self.keys_window.isVisible()))
        self._build()
        self._guard = WheelGuard(self)
        for combo in self.findChildren(QComboBox):
            combo.installEventFilter(self._guard)
            combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_theme(Theme())

    def _build(self) -> None:
        inner = QWidget()
        self._column = column = QVBoxLayout(inner)
        column.setContentsMargins(3, 0, 3, 0)
        column.setSpacing(0)
        column.addWidget(self.session)
        column.addWidget(self.first_steps)
        column.addSpacing(4)
        for fold in self.folds.values():
            column.addWidget(fold)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 5, 0, 0)  # the dock's title lies over the uppermost pixels
        whole.setSpacing(0)
        whole.addWidget(scrolling(inner), 1)
        self._foot.layout().addWidget(self.keys_button, 0, Qt.AlignmentFlag.AlignBottom)
        whole.addWidget(self._foot)
        self.setMinimumWidth(LEAST_WIDTH)

    def sizeHint(self) -> QSize:
        """Wide enough for every word, narrow enough for the image."""
        return QSize(WIDTH, HEIGHT)

    def set_status(self, text: str, problem: bool = False) -> None:
        """Say what happens, or what to do next."""
        self.status_label.setText(text)
        self.status_label.setToolTip(text)
        self.status_label.setProperty("problem", problem)
        self.status_label.style().unpolish(self.status_label)
        self.status_label.style().polish(self.status_label)
        self.said.emit(text, problem)

    def set_summary(self, step: str, text: str) -> None:
        """Set the line of state of a step, by its title."""
        self.folds[step].set_summary(text)

    def lend(self, step: str) -> QWidget:
        """Give the body of a step away, by its title; its fold says where it is."""
        return self.folds[step].lend()

    def take_back(self, step: str) -> None:
        """Have the body of a step again."""
        self.folds[step].take_back()

    def lend_top(self) -> tuple[QWidget, QWidget]:
        """Give away where the work is kept and which image it is on, to a dock that stands without the panel."""
        self._column.removeWidget(self.session)
        return self.session, self.lend("Image")

    def take_back_top(self) -> None:
        """Have both again."""
        self._column.insertWidget(0, self.session)
        self.take_back("Image")

    def set_theme(self, theme: Theme) -> None:
        """Follow the colours of the window."""
        self.setStyleSheet(style(theme))
        self.styled.emit(style(theme))
        self.train.loss_plot.set_theme(theme)
        self.train.rate.set_theme(theme)
        self.measure.set_theme(theme)
        self.models.compare.set_theme(theme)
        self.train.corrections_plot.set_theme(theme)

    def event(self, event: QEvent) -> Any:
        """Tell when a dock takes the panel or lets go of it (its x unparents it and sends no close event)."""
        if event.type() == QEvent.Type.ParentChange:
            (self.left if self.parent() is None else self.joined).emit()
        return super().event(event)


def status_line() -> tuple[QLabel, QFrame]:
    """A label for what happens, and the frame that it stands in."""
    label = QLabel()
    label.setObjectName("status_label")
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setMinimumHeight(3 * label.fontMetrics().lineSpacing() + 2)
    frame = QFrame()
    frame.setObjectName("status_frame")
    row = QHBoxLayout(frame)
    row.setContentsMargins(8, 6, 8, 6)
    row.addWidget(label, 1)
    return label, frame
