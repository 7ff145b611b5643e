"""Tasks whose data are made here: pairs of views with known disparities, lines of rendered text."""
