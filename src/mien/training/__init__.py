"""From a recipe and labelled faces to a run folder and a model bundle."""
