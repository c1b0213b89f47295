import math
import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from magicgui.widgets import create_widget
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_annotrain._qt.fold import WheelGuard
from napari_annotrain._qt.layout import allow, faint_label, form_layout, row_of, words
from napari_annotrain.specs import Spec, refusal

#: Spin boxes need an end somewhere.
LARGEST = 10**12
#: Longer lines of tooltips are broken.
TOOLTIP_LETTERS = 100
#: Amounts of memory are shown in GB; the smallest that can be entered, in GB.
GB, LEAST_GB = 10**9, 0.1


class SpecForm(QWidget):
    """A form grown from a settings model: title, unit, range and tooltip of every field come from its description.

    Nested settings become groups. `changed` carries the new settings, each time they are valid.
    """

    changed = Signal(object)

    def __init__(
        self, spec: Spec, hide: tuple[str, ...] = (), only: tuple[str, ...] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._spec = spec
        self._default = spec
        self._fields: dict[str, Field] = {}
        self._groups: dict[str, SpecForm] = {}
        self._guard = WheelGuard(self)
        self.problem_label = faint_label()
        self.problem_label.setProperty("problem", True)
        self.problem_label.hide()
        self._build([name for name in type(spec).model_fields if name not in hide and (not only or name in only)])

    def value(self) -> Spec:
        """The settings as they stand; the last valid ones while an entry makes no sense."""
        return self._spec

    def set_value(self, spec: Spec) -> None:
        """Show other settings, which also become what Reset goes back to."""
        self._default = spec
        self.show_value(spec)

    def reset(self) -> None:
        """Go back to the settings that were given."""
        self.show_value(self._default)
        self.changed.emit(self._spec)

    def show_value(self, spec: Spec) -> None:
        """Show other settings; Reset goes back to the same ones as before."""
        self._spec = spec
        for name, field in self._fields.items():
            with QSignalBlocker(field):
                field.set(getattr(spec, name))
        for name, group in self._groups.items():
            with QSignalBlocker(group):
                group.show_value(getattr(spec, name))
        self._say("")

    def refuse(self, why: Mapping[str, str]) -> None:
        """Grey out the settings that would change nothing now, each with the reason; offer all others."""
        for name, field in self._fields.items():
            allow(field, why.get(name, ""))

    def _build(self, names: list[str]) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        rows = form_layout()
        column.addLayout(rows)
        for name in names:
            info = type(self._spec).model_fields[name]
            value = getattr(self._spec, name)
            if isinstance(value, BaseModel):
                column.addWidget(self._group(name, value))
                continue
            field = Field(info, value)
            field.installEventFilter(self._guard)
            self._fields[name] = field
            field.edited.connect(self._edited)
            rows.addRow(words(field.title), field)
        column.addWidget(self.problem_label)

    def _group(self, name: str, value: Any) -> QWidget:
        box = QWidget()
        inner = SpecForm(value, parent=box)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addWidget(faint_label((type(value).__doc__ or name).strip().splitlines()[0]))
        layout.addWidget(inner)
        self._groups[name] = inner
        inner.changed.connect(self._edited)
        return box

    def add_reset(self, words: str) -> QPushButton:
        """Add a button that goes back to the settings that were given."""
        made = QPushButton(words)
        made.setObjectName("reset_settings_button")
        made.clicked.connect(self.reset)
        self.layout().addWidget(made)
        return made

    def _edited(self, *_: object) -> None:
        values: dict[str, Any] = {name: getattr(self._spec, name) for name in type(self._spec).model_fields}
        try:
            values |= {name: field.get() for name, field in self._fields.items()}
            values |= {name: group.value() for name, group in self._groups.items()}
            self._spec = type(self._spec).model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"][:1])
            info = type(self._spec).model_fields.get(where)
            self._say(f"{info.title}: {first['msg']}" if info else refusal(error))
            return
        self._say("")
        self.changed.emit(self._spec)

    def _say(self, problem: str) -> None:
        self.problem_label.setText(problem)
        self.problem_label.setVisible(bool(problem))


class Field(QWidget):
    """The entry of one setting; one that may be left out (None) has a check box in front."""

    edited = Signal()

    def __init__(self, info: FieldInfo, value: Any) -> None:
        super().__init__()
        kind, optional = _without_none(info.annotation)
        self._in_gb = _unit(info) == "bytes"
        self._entry = _gigabytes(value) if self._in_gb else _entry(kind, info, value)
        self._check = QCheckBox() if optional else None
        native = self._entry if isinstance(self._entry, QLineEdit) else self._entry.native
        native.setMinimumWidth(50)
        native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.title = str(info.title)
        unit = "GB" if self._in_gb else _unit(info)
        if unit and isinstance(native, QDoubleSpinBox):
            native.setSuffix(f" {unit}")
        elif unit:
            self.title += f" ({unit})"
        parts: list[Any] = [(native, 1)] if self._check is None else [self._check, (native, 1)]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row_of(*parts))
        self.setToolTip(_tooltip(info))
        self.setProperty("tip", self.toolTip())
        self._native = native
        self.set(value)
        if self._check is not None:
            self._check.toggled.connect(native.setEnabled)
            self._check.toggled.connect(lambda _: self.edited.emit())
        if isinstance(self._entry, QLineEdit):
            self._entry.editingFinished.connect(self.edited)
        else:
            self._entry.changed.connect(lambda _: self.edited.emit())

    def installEventFilter(self, watcher: Any) -> None:
        """Watch the entry itself, which is what gets the wheel."""
        self._native.installEventFilter(watcher)

    def get(self) -> Any:
        """The value entered."""
        if self._check is not None and not self._check.isChecked():
            return None
        if isinstance(self._entry, QLineEdit):
            text = self._entry.text().strip()
            return int(text) if text.isdigit() else text
        return round(self._entry.value * GB) if self._in_gb else self._entry.value

    def set(self, value: Any) -> None:
        """Show a value."""
        if self._check is not None:
            self._check.setChecked(value is not None)
            self._native.setEnabled(value is not None)
        if value is None:
            return
        if isinstance(self._entry, QLineEdit):
            self._entry.setText(str(value))
            return
        if isinstance(value, float) and isinstance(self._native, QDoubleSpinBox):
            self._native.setDecimals(max(self._native.decimals(), _digits(value)))
        self._entry.value = max(value / GB, LEAST_GB) if self._in_gb else value


def _gigabytes(value: int) -> Any:
    made = create_widget(value=LEAST_GB, annotation=float, options={"min": LEAST_GB, "max": LARGEST / GB, "step": 0.5})
    made.native.setDecimals(max(1, _digits(value / GB)))
    return made


def _entry(kind: Any, info: FieldInfo, value: Any) -> Any:
    if get_origin(kind) is Literal:
        return create_widget(value=get_args(kind)[0] if value is None else value, annotation=kind)
    if kind in (int, float):
        low, high = (kind(end) for end in _limits(info))
        options: dict[str, Any] = {"min": low, "max": high, "step": _step(kind, value)}
        extra = info.json_schema_extra
        start = extra.get("start") if value is None and isinstance(extra, dict) else value
        start = min(max(low if start is None else start, low), high)
        made = create_widget(value=kind(start), annotation=kind, options=options)
        if kind is float:
            made.native.setDecimals(max(_digits(start), _digits(options["step"])))
            made.value = start
        return made
    if kind in (bool, str):
        return create_widget(value=value, annotation=kind)
    return QLineEdit()  # several types, such as "auto" or a number


def _limits(info: FieldInfo) -> tuple[float, float]:
    names = ("ge", "gt", "le", "lt")
    bounds = {name: getattr(item, name) for item in info.metadata for name in names if hasattr(item, name)}
    return bounds.get("ge", bounds.get("gt", 0)), bounds.get("le", bounds.get("lt", LARGEST))


def _step(kind: type, value: Any) -> float:
    """One in the second digit of the value, so that a learning rate and a duration both move sensibly."""
    if kind is int:
        return 1
    if not value:
        return 0.05
    return float(10.0 ** min(math.floor(math.log10(abs(value))) - 1, -_digits(value) if _digits(value) else 9))


def _digits(value: float) -> int:
    """Digits behind the point that a number needs: 0.995 must not be shown as 1.00."""
    return 0 if value == int(value) else min(8, max(0, -int(Decimal(repr(value)).as_tuple().exponent)))


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) < len(get_args(annotation)):
            return (kinds[0] if len(kinds) == 1 else Union[tuple(kinds)]), True  # noqa: UP007
    return annotation, False


def _unit(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _tooltip(info: FieldInfo) -> str:
    return "\n".join(_tooltip_lines(info))


def _tooltip_lines(info: FieldInfo) -> Iterator[str]:
    if info.description:
        yield from textwrap.wrap(info.description, TOOLTIP_LETTERS)
    if _unit(info) == "bytes":
        yield f"Usually: {info.default / GB:g} GB"
        return
    if _unit(info):
        yield f"Unit: {_unit(info)}"
    yield f"Usually: {'not set' if info.default is None else info.default}"
