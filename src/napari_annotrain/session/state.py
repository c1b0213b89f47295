import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.live import Session

#: Of `session.json`; one more whenever an older reader would understand it wrongly.
FORMAT = 1
STATE = "session.json"


class _Part(BaseModel):
    # a field of a newer version that this one does not know is let go of, so that its sessions open here
    model_config = ConfigDict(frozen=True, extra="ignore")


class DrawnRegion(_Part):
    """A complete region: kind of shape, and its corners in pixels of the annotation, all its axes."""

    kind: str
    corners: tuple[tuple[float, ...], ...]


class StoredPrediction(_Part):
    """A whole prediction that lies on the disk: its OME-Zarr, what it holds, and the type of its values.

    Attributes
    ----------
    channels
        Channels of probabilities, or of an image that has several; 0 for others.
    """

    path: str
    kind: str
    dtype: str
    channels: int = 0


class ImageState(_Part):
    """An image, where it came from, and one annotation of it; with several annotations it occurs several times.

    Attributes
    ----------
    path, reader
        File or folder it was opened from, and the plugin that read it; empty for one that came otherwise.
    sample
        Plugin and key of sample data; empty for others.
    fingerprint
        From `data.validation.fingerprint`.
    axes
        What the user said they are; empty for the plugin's guess.
    trained_on
        Whether its tick is set.
    sheet, annotation
        File of its annotation, and the name of the layer; empty without one.
    sheet_axes
        One letter for each axis of it.
    current
        Whether it is the one that this image is trained with.
    put_away
        Whether that layer was removed from the window.
    prediction
        What is shown of a prediction too large for the memory; None for others.
    target
        Name of the image that it should become; empty where it has none.
    """

    name: str
    path: str = ""
    reader: str = ""
    sample: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    fingerprint: str = ""
    axes: str = ""
    trained_on: bool = True
    sheet: str = ""
    annotation: str = ""
    sheet_axes: str = ""
    current: bool = True
    put_away: bool = False
    prediction: StoredPrediction | None = None
    target: str = ""
    regions: tuple[DrawnRegion, ...] = ()


class ModelState(_Part):
    """A model of the session: its file in the folder, its name and validation score."""

    file: str
    name: str
    score: float | None = None
    made: datetime | None = None


class SessionState(_Part):
    """All of a session but the pixels of annotations and the weights of models.

    Attributes
    ----------
    made_by, changed
        Version of this program, and local time.
    settings
        Fields of `live.Session` as JSON (`settings_of`).
    model
        File of the model that predicts; empty for none.
    """

    format: int = FORMAT
    made_by: str = ""
    changed: str = ""
    images: tuple[ImageState, ...] = ()
    settings: dict[str, Any] = {}
    models: tuple[ModelState, ...] = ()
    model: str = ""

    @property
    def has_content(self) -> bool:
        """Whether there is anything that somebody would miss."""
        return bool(self.models or any(image.sheet or image.regions for image in self.images))

    def words(self) -> str:
        """What is in it, such as "2 annotations and 3 models"."""
        n_sheets = sum(bool(image.sheet) for image in self.images)
        counts = ((n_sheets, "annotation"), (len(self.models), "model"))
        return " and ".join(f"{n} {what}{'s' * (n != 1)}" for n, what in counts if n) or "nothing yet"


def write_state(folder: Path, state: SessionState) -> None:
    """Write `session.json`; an older one is replaced in one step."""
    beside = folder / f".{STATE}.part"
    with beside.open("w", encoding="utf-8") as file:
        file.write(state.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, folder / STATE)


def read_state(folder: Path) -> SessionState:
    """Read `session.json`, of this version or an older one.

    Raises
    ------
    AnnotrainError
        There is none, it is damaged, or of a newer version.
    """
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except OSError as error:
        raise AnnotrainError(f"{folder} is no session: choose a folder that holds {STATE}.") from error
    except ValueError as error:
        raise AnnotrainError(f"The session {folder} is damaged: its {STATE} cannot be read.") from error
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise AnnotrainError(f"The session {folder} is damaged: its {STATE} says no format.")
    if found["format"] > FORMAT:
        raise AnnotrainError(f"The session {folder} was made by a newer version: update napari-annotrain to open it.")
    try:
        return SessionState.model_validate(found)
    except ValidationError as error:
        raise AnnotrainError(f"The session {folder} is damaged: {error.errors()[0]['msg']}.") from error


def settings_of(session: Session) -> dict[str, Any]:
    """What the user chose, as JSON."""
    return session.model_dump(mode="json", include=set(Session.KEPT))


def restore_settings(session: Session, settings: Mapping[str, Any]) -> None:
    """Choose again what was chosen; what another version wrote and this one does not know keeps its default."""
    for name in Session.KEPT:
        setattr(session, name, Session.model_fields[name].get_default(call_default_factory=True))
    known = {name: value for name, value in settings.items() if name in Session.KEPT}
    for name, value in _fitting(Session, known).items():
        setattr(session, name, value)


def _fitting(spec: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some values that a model takes, field by field where it does not take all of them."""
    try:
        whole = spec.model_validate(values)
        return {name: getattr(whole, name) for name in values}
    except ValidationError:
        fitting: dict[str, Any] = {}
    for name, field in spec.model_fields.items():
        if name not in values:
            continue
        value, kind = values[name], field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, Mapping):
            value = kind.model_validate(_fitting(kind, value))
        try:
            spec.model_validate({**fitting, name: value})
        except ValidationError:
            continue
        fitting[name] = value
    return fitting
