"""Open napari with a stack of made cells and the Annotrain panel beside it.

python examples/open_panel.py
"""

import napari

viewer = napari.Viewer()
viewer.open_sample("napari-annotrain", "cells_stack")
viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")

napari.run()
