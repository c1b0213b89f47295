from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_annotrain._qt.fold import ElidedLabel
from napari_annotrain._qt.layout import allow, button, row_of


class SessionRow(QWidget):
    """Where the work is kept, and whether it is; over it, when there is earlier work to go on with, an offer."""

    reopen_clicked = Signal()
    not_now_clicked = Signal()
    open_clicked = Signal()
    export_clicked = Signal()
    bring_back_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.offer_label = QLabel()
        self.offer_label.setObjectName("offer_label")
        self.offer_label.setWordWrap(True)
        self.offer_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.reopen_button = button(
            "reopen_button",
            "Go on with it",
            "Opens images, annotations and models as they were at the last second.",
        )
        self.not_now_button = button(
            "not_now_button", "Not now", "Leaves it where it is: Open... finds it again in the folder of sessions."
        )
        self.offer_frame = QFrame()
        self.offer_frame.setObjectName("offer_frame")
        self.session_label = ElidedLabel()
        self.session_label.setObjectName("session_label")
        self.session_label.setProperty("faint", True)
        self.bring_back_button = button(
            "bring_back_button", "Bring back", "Shows the annotation again that was removed from the list of layers."
        )
        self.open_button = button("open_session_button", "Open...", "Goes on with the session in another folder.")
        self.export_button = button(
            "export_session_button",
            "Export...",
            "Writes one zip: annotation, models, scores, settings and a paragraph for the methods of a paper.",
        )
        self._build()
        for made, signal in (
            (self.reopen_button, self.reopen_clicked),
            (self.not_now_button, self.not_now_clicked),
            (self.open_button, self.open_clicked),
            (self.export_button, self.export_clicked),
            (self.bring_back_button, self.bring_back_clicked),
        ):
            made.clicked.connect(lambda _=False, signal=signal: signal.emit())
        self.show_offer("")
        self.show_saved("", "", "", False)

    def _build(self) -> None:
        offer = QVBoxLayout(self.offer_frame)
        offer.setContentsMargins(8, 6, 8, 6)
        offer.addWidget(self.offer_label)
        offer.addWidget(row_of((self.reopen_button, 2), (self.not_now_button, 1)))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(7, 2, 7, 2)
        whole.setSpacing(4)
        whole.addWidget(self.offer_frame)
        whole.addWidget(row_of((self.session_label, 1), self.bring_back_button, self.open_button, self.export_button))

    def show_offer(self, text: str) -> None:
        """Offer earlier work in a sentence; an empty one offers nothing."""
        self.offer_label.setText(text)
        self.offer_frame.setVisible(bool(text))

    def show_saved(self, text: str, place: str, why_not_export: str, something_removed: bool) -> None:
        """Say where the work is; grey what cannot be done."""
        self.session_label.setText(text or "Nothing to save yet")
        self.session_label.setToolTip(f"{text}\n{place}" if place else "Begins with the first stroke or model.")
        allow(self.export_button, why_not_export)
        self.bring_back_button.setVisible(something_removed)
