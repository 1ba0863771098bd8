"""wide_cnn as published: 25 epochs of Adam, every epoch's network kept.

    mien train recipes/wide_cnn.py --data fer2013.csv --out runs/wide_cnn

The published settings: folders train, val and test; values scaled to [0, 1]; rotation by up to
10 degrees, zoom 0.1, horizontal flip; batches of 128, seed 42; 25 epochs; a checkpoint of every
epoch with epoch, loss and val_loss in its name; EarlyStopping(val_loss, patience 10);
TensorBoard. A network of 3.9 billion multiplications a face: meant for a GPU.
docs/pipelines.md has what was run.
"""

from mien.data.augmentation import Augmentation
from mien.training.monitors import Checkpoint, EarlyStopping
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="wide-cnn",
    architecture="wide_cnn",
    augmentation=Augmentation(horizontal_flip=True, rotation_deg=10.0, zoom=0.1),
    epochs=25,
    batch_size=128,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    early_stopping=EarlyStopping(monitor="val_loss", patience=10),
    checkpoint=Checkpoint(monitor="val_loss", every_epoch=True),
    tensorboard=True,
    precision="mixed_bfloat16",
    licence="of whoever trains it; the pictures of FER-2013 were gathered for research",
    seed=42,
)
"""The published settings."""
