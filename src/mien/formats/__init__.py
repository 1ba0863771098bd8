"""Networks as files: Keras files of any origin read safely, and every format that is written."""
