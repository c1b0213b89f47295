from cyclopts import App

from napari_annotrain.errors import AnnotrainError

models_app = App(name="models", help="List, show, export and import models.")


@models_app.command(name="list")
def list_models() -> None:
    """List the shipped models."""
    from napari_annotrain.store.models import load_model, shipped_models

    for name in shipped_models():
        card = load_model(name).card
        print(f"{name}: {card.target}, {card.channels} channel(s), {', '.join(card.class_names.values())}")
    if not shipped_models():
        print("No models are shipped yet: train one with annotrain train.")


@models_app.command(name="show")
def show_model(model: str, /) -> None:
    """Print the card of a model: what it predicts, what it was trained on, its settings.

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    """
    from napari_annotrain.store.models import load_model

    print(load_model(model).card.model_dump_json(indent=1))


@models_app.command(name="export")
def export_model(model: str, out: str, /) -> None:
    """Export a model to the BioImage.IO format (not there yet).

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    out
        File to write.
    """
    raise AnnotrainError("Exporting to BioImage.IO is not there yet: pass the model file on as it is.")


@models_app.command(name="import")
def import_model(model: str, /) -> None:
    """Import a model from the BioImage.IO format (not there yet).

    Parameters
    ----------
    model
        File to import.
    """
    raise AnnotrainError("Importing from BioImage.IO is not there yet: use a model file that annotrain saved.")
