"""Pages as pictures, with the place of a quote marked. Runs in the guarded processes that parse."""
