"""Sources, recognition and outputs joined into one running whole."""
