"""How good a network is: predictions, metrics, plots and the report folder."""
