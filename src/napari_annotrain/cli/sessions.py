from pathlib import Path

from cyclopts import App

sessions_app = App(name="sessions", help="List, export and remove what was done in the panel.")


@sessions_app.command(name="list")
def list_sessions() -> None:
    """List the sessions that no window has open, the latest first: date, size, what is in them."""
    from napari_annotrain.session.listing import automatic_folder, find_sessions
    from napari_annotrain.session.removal import changed, megabytes, size_of

    found = find_sessions()
    total = 0
    for one in found:
        names = ", ".join(dict.fromkeys(image.name for image in one.state.images)) or "no image"
        size = size_of(one.path)
        total += size
        print(f"{one.path}: {names}, {changed(one.path):%Y-%m-%d %H:%M}, {megabytes(size)}: {one.state.words()}")
    if len(found) > 1:
        print(f"{len(found)} sessions, {megabytes(total)}.")
    if not found:
        print(f"There are no sessions in {automatic_folder()}.")


@sessions_app.command(name="remove")
def remove(name: str | None = None, /, *, older_than: float | None = None) -> None:
    """Remove a session, or all old ones, for good; one that a window has open stays.

    Parameters
    ----------
    name
        Name or folder of a session, as in the list.
    older_than
        Instead: all sessions in which nothing was done for so many days.
    """
    from datetime import datetime

    from napari_annotrain.errors import AnnotrainError
    from napari_annotrain.session.removal import place_of, remove_older, remove_session

    if name is not None and older_than is None:
        print(remove_session(place_of(name)).words())
    elif name is None and older_than is not None:
        print(remove_older(older_than, datetime.now()).words())
    else:
        raise AnnotrainError("Give either the name of a session or --older-than with a number of days.")


@sessions_app.command(name="export")
def export(session: str, out: str, /) -> None:
    """Pack a session into one zip: annotations, models, settings, versions, a paragraph for the methods.

    Parameters
    ----------
    session
        Its folder.
    out
        File to write.
    """
    from napari_annotrain.api import load_model
    from napari_annotrain.session.export import export_session
    from napari_annotrain.session.folder import SessionFolder

    folder = SessionFolder.open(Path(session))
    try:
        export_session(folder, Path(out), lambda path: load_model(path).card.model_dump(mode="json"))
    finally:
        folder.close()
    print(f"Wrote {out}.")
