from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QToolButton, QVBoxLayout, QWidget

from napari_annotrain._qt.form import SpecForm
from napari_annotrain._qt.layout import row_of
from napari_annotrain.specs import Spec


class MoreSettings(QWidget):
    """Settings most people leave alone: a form that folds out, grown when it is first looked at.

    `beside` is a button at the other end of the line that folds it out, and `inside` one that is folded out with the
    form. `title` and `why` are the line's words, and `back` those of the button that goes back to the default.
    """

    changed = Signal(object)

    def __init__(
        self,
        name: str,
        spec: Spec,
        hide: tuple[str, ...] = (),
        only: tuple[str, ...] = (),
        beside: QWidget | None = None,
        inside: QWidget | None = None,
        title: str = "More settings",
        why: str = "Settings that most people leave as they are.",
        back: str = "Back to the preset's settings",
    ) -> None:
        super().__init__()
        self._spec = self._default = spec
        self._hide, self._only, self._back = hide, only, back
        self._form: SpecForm | None = None
        self._refused: dict[str, str] = {}
        self.button = QToolButton()
        self.button.setObjectName(name)
        self.button.setText(title)
        self.button.setToolTip(why)
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.button if beside is None else row_of(self.button, (QLabel(), 1), beside))
        self._inside = inside
        if inside is not None:
            column.addWidget(inside)
            inside.hide()
        self.button.toggled.connect(self._unfold)

    @property
    def form(self) -> SpecForm:
        """The form itself."""
        if self._form is None:
            self._form = SpecForm(self._default, hide=self._hide, only=self._only)
            self._form.add_reset(self._back)
            self._form.show_value(self._spec)
            self._form.changed.connect(self.changed)
            self._form.refuse(self._refused)
            self._form.setEnabled(self.button.isEnabled())
            self._form.hide()
            self.layout().addWidget(self._form)
        return self._form

    def set_editable(self, editable: bool) -> None:
        """Let the settings be changed, or not; the button beside them stays as it is."""
        self.button.setEnabled(editable)
        if self._form is not None:
            self._form.setEnabled(editable)

    def refuse(self, why: dict[str, str]) -> None:
        """Grey out the settings that would change nothing now, each with the reason; offer all others."""
        self._refused = why
        if self._form is not None:
            self._form.refuse(why)

    def set_spec(self, spec: Spec, new_default: bool = False) -> None:
        """Show settings; as `new_default` they are also what Reset goes back to."""
        self._spec = spec
        self._default = spec if new_default else self._default
        if self._form is not None:
            self._form.set_value(spec) if new_default else self._form.show_value(spec)

    def _unfold(self, shown: bool) -> None:
        self.form.setVisible(shown)
        if self._inside is not None:
            self._inside.setVisible(shown)
        self.button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
