"""compact_cnn as published: 70 % of Training, small rotations, wide shifts, plain Adam.

    mien train recipes/compact_cnn.py --data fer2013.csv --out runs/compact_cnn

The published settings: 70/30 split of each class of Training (20,099 and 8,610 rows; PublicTest
and PrivateTest together are the test split), rotation by up to 2 degrees, shifts and zoom of
20 %, horizontal flips; accuracy, precision, recall and F1 per epoch. The publication names
neither epochs nor batch nor rate: Adam's default rate, batches of 64 and 25 epochs are ours.
Arithmetic is bfloat16 where that is faster; --set precision=float32 is the published one.

Claim: 62.7 % top-1 accuracy on PublicTest (95 % interval 61.1 to 64.3), which chose nothing; one
run, seed 1, at commit a11b03d, 49 minutes on 2 busy cores of an Intel Xeon with AMX.
"""

from mien.data.augmentation import Augmentation
from mien.data.splits import SplitPlan
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="compact-cnn",
    architecture="compact_cnn",
    split=SplitPlan(validation_fraction=0.3),
    augmentation=Augmentation(
        horizontal_flip=True, rotation_deg=2.0, width_shift=0.2, height_shift=0.2, zoom=0.2
    ),
    epochs=25,
    batch_size=64,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    precision="mixed_bfloat16",
    licence="of whoever trains it; the pictures of FER-2013 were gathered for research",
)
"""The published split and augmentation."""
