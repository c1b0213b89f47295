from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

#: Space between widgets of one row, in logical pixels.
GAP = 5
#: Width of the words in front of a field.
LABEL_WIDTH = 84


def row_of(*parts: QWidget | tuple[QWidget, int]) -> QWidget:
    """Widgets beside each other without margins; a part is a widget, or a widget and its stretch."""
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    for part in parts:
        widget, stretch = part if isinstance(part, tuple) else (part, 0)
        layout.addWidget(widget, stretch)
    return holder


def scrolling(inner: QWidget) -> QScrollArea:
    """A widget that may be higher than its place, never wider."""
    made = QScrollArea()
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setWidgetResizable(True)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    made.setWidget(inner)
    return made


def column_of(*parts: QWidget) -> QWidget:
    """Widgets below each other without margins."""
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    for part in parts:
        layout.addWidget(part)
    return holder


def form_layout() -> QFormLayout:
    """A form whose fields grow and whose rows are close together."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(GAP)
    form.setVerticalSpacing(GAP)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return form


def words(text: str) -> QLabel:
    """The words in front of a field: equally wide in every step, so that the fields stand in one line."""
    label = QLabel(text)
    label.setMinimumWidth(LABEL_WIDTH)
    return label


def faint_label(text: str = "", name: str = "", wrap: bool = True) -> QLabel:
    """A label in a soft colour, for what is worth knowing but not for what must be read."""
    label = QLabel(text)
    label.setProperty("faint", True)
    label.setWordWrap(wrap)
    if wrap:
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    if name:
        label.setObjectName(name)
    return label


def button(name: str, text: str, tip: str) -> QPushButton:
    """A push button with its objectName; its tooltip when it can be pressed is `tip`."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setProperty("tip", tip)
    made.setToolTip(tip)
    made.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)  # grows, but never cuts its words
    return made


def allow(made: QWidget, why_not: str = "") -> None:
    """Enable a button or an entry, or grey it; then its tooltip says why."""
    made.setEnabled(not why_not)
    made.setToolTip(why_not or made.property("tip") or "")


def duration(seconds: float) -> str:
    """Minutes and seconds as 0:38, with hours where there are some."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def time_left(seconds: float) -> str:
    """Time left in words a person would use: "6 min left"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min left"
    return f"{seconds / 3600:.1f} h left"
