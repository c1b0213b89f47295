SHORT_OF_MEMORY = (
    "Not enough memory: close other programs, train with a smaller preset, or predict with less --memory "
    "or a smaller --tile."
)
