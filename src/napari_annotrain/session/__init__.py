"""One viewer's work: in memory while a window is open (`live`), and on the disk, so that nothing is lost (`folder`)."""

from napari_annotrain.session.live import LAST_MODEL, MOST_MODELS, NOTHING, Activity, Evented, Session, Trained
from napari_annotrain.session.words import (
    Facts,
    percent,
    precision_in_words,
    shares_of,
    what_next,
    what_of_weights,
    when_to_stop,
    why_not_accept,
    why_not_compare,
    why_not_paint,
    why_not_predict,
    why_not_train,
    why_not_weigh,
)

__all__ = [
    "LAST_MODEL",
    "MOST_MODELS",
    "NOTHING",
    "Activity",
    "Evented",
    "Facts",
    "Session",
    "Trained",
    "percent",
    "precision_in_words",
    "shares_of",
    "what_next",
    "what_of_weights",
    "when_to_stop",
    "why_not_accept",
    "why_not_compare",
    "why_not_paint",
    "why_not_predict",
    "why_not_train",
    "why_not_weigh",
]
