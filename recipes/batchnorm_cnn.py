"""batchnorm_cnn as published: Adam at 1e-4, stopped as soon as validation no longer gets better.

    mien train recipes/batchnorm_cnn.py --data fer2013.csv --out runs/batchnorm_cnn

The published settings: images/train and images/validation of Kaggle's "face expression
recognition dataset" (FER-2013's pictures); Adam at 1e-4; EarlyStopping(val_loss, patience 3),
ReduceLROnPlateau(val_loss), ModelCheckpoint on validation accuracy; batches of 128. The
notebooks name up to 48 epochs, a plateau's factor of 0.2 and patience of 6, which early stopping
never lets it reach. docs/pipelines.md has what it reached.
"""

from mien.training.monitors import Checkpoint, EarlyStopping, ReduceOnPlateau
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="batchnorm-cnn",
    architecture="batchnorm_cnn",
    epochs=48,
    batch_size=128,
    optimizer="adam",
    learning_rate=1e-4,
    schedule="constant",
    early_stopping=EarlyStopping(monitor="val_loss", patience=3),
    reduce_on_plateau=ReduceOnPlateau(monitor="val_loss", factor=0.2, patience=6),
    checkpoint=Checkpoint(monitor="val_accuracy"),
    precision="mixed_bfloat16",
    licence="of whoever trains it; the pictures of FER-2013 were gathered for research",
)
"""The published settings."""
