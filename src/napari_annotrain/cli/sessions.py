from pathlib import Path

from cyclopts import App

sessions_app = App(name="sessions", help="List and export what was done in the panel.")


@sessions_app.command(name="list")
def list_sessions() -> None:
    """List the sessions that no window has open, the latest first."""
    from napari_annotrain.session.listing import automatic_folder, find_sessions

    found = find_sessions()
    for one in found:
        names = ", ".join(dict.fromkeys(image.name for image in one.state.images)) or "no image"
        print(f"{one.path}: {names}, {one.when}: {one.state.words()}")
    if not found:
        print(f"There are no sessions in {automatic_folder()}.")


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
