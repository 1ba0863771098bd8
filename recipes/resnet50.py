"""resnet50 as published: ImageNet weights, a custom head, fine-tuning on compact_cnn's split.

    mien train recipes/resnet50.py --data fer2013.csv --out runs/resnet50

The published settings: ResNet-50 with a head of its own, about 24 million parameters; data and
augmentation as compact_cnn's (70/30 split of each class of Training, rotation by up to 2 degrees,
shifts and zoom of 20 %, flips), resized; fine-tuning. Rates, epochs and layers are not published:
those below follow Keras's guide "Transfer learning & fine-tuning".

Without a network: --pretrained FILE or --pretrained none. A smaller, faster input:
--set input_size_px=96. docs/pipelines.md has what was run.
"""

from mien.data.augmentation import Augmentation
from mien.data.splits import SplitPlan
from mien.training.monitors import EarlyStopping
from mien.training.phases import Phase
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="resnet50",
    architecture="resnet50",
    pretrained="imagenet",
    split=SplitPlan(validation_fraction=0.3),
    augmentation=Augmentation(
        horizontal_flip=True, rotation_deg=2.0, width_shift=0.2, height_shift=0.2, zoom=0.2
    ),
    epochs=20,
    phases=(
        Phase(trainable="head", epochs=5, learning_rate=1e-3),
        Phase(trainable="conv4_block1_1_conv", learning_rate=1e-5, freeze_statistics=True),
    ),
    batch_size=32,
    optimizer="adam",
    schedule="constant",
    early_stopping=EarlyStopping(monitor="val_loss", patience=5),
    precision="mixed_bfloat16",
    licence="of whoever trains it; the pictures of FER-2013 were gathered for research",
)
"""The published split and augmentation."""
