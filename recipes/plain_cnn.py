"""plain_cnn as it is published in tutorials: ten epochs of Adam with strong augmentation.

Claim: 60.0 % top-1 accuracy on PublicTest (95 % interval 58.5 to 61.6) after 30 epochs, by which
the epoch was chosen too; one run, seed 1, at commit 6f78e1e, with --set epochs=30 --set
precision=mixed_bfloat16; 70 minutes on 2 busy cores of an Intel Xeon with AMX. The best of its
first ten epochs has 55.4 %.

    mien train recipes/plain_cnn.py --data fer2013.csv --out runs/plain_cnn

The published settings: rotation by up to 30 degrees, shear by up to 0.3 degrees (as Keras's
former ImageDataGenerator means it), zoom 0.3, horizontal flip, fill "nearest", batches of 32,
10 epochs, or 30 for a live model (--set epochs=30).
"""

from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="plain-cnn",
    architecture="plain_cnn",
    augmentation=Augmentation(
        horizontal_flip=True, rotation_deg=30.0, shear_deg=0.3, zoom=0.3, fill_mode="nearest"
    ),
    epochs=10,
    batch_size=32,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    licence="of whoever trains it; the pictures of FER-2013 were gathered for research",
)
