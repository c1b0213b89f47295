"""The network; everything above imports torch through here."""

import os

# Threads that wait by spinning starve when anything else (the window, a browser) wants a core: with one busy
# process on two cores a training step took 3.3 s spinning, 0.9 s sleeping. Read by OpenMP when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
