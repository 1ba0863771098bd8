"""A model file: what its card says, how it is sealed, where it lies, and what it is called."""
