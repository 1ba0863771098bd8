"""efficientnet_b2 as published: ImageNet weights, the head first, then the upper blocks.

    mien train recipes/efficientnet_b2.py --data archive.zip --out runs/efficientnet_b2

The published settings: archive.zip with train/ and test/; a validation split taken from train/;
pictures resized; random flip, rotation and zoom; class weights from class frequencies; Adam,
categorical cross-entropy; accuracy, precision and recall; phase 1, then fine-tuning with the other
part frozen; ModelCheckpoint and EarlyStopping; the best weights are those that are tested. The
publication's ranges, rates, epochs and size are not known: those below are Keras's guide's
("Image classification via fine-tuning with EfficientNet"), with B2's own 260 pixels.

Without a network: --pretrained FILE or --pretrained none. A smaller, faster input:
--set input_size_px=96. docs/pipelines.md has what was run.
"""

from mien.data.augmentation import Augmentation
from mien.data.splits import SplitPlan
from mien.training.monitors import Checkpoint, EarlyStopping
from mien.training.phases import Phase
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="efficientnet-b2",
    architecture="efficientnet_b2",
    pretrained="imagenet",
    split=SplitPlan(validation_fraction=0.2),
    augmentation=Augmentation(horizontal_flip=True, rotation_deg=15.0, zoom=0.1),
    class_weights="balanced",
    epochs=20,
    phases=(
        Phase(trainable="head", learning_rate=1e-3),
        Phase(trainable="block6a_expand_conv", learning_rate=1e-4, freeze_statistics=True),
    ),
    batch_size=32,
    optimizer="adam",
    schedule="constant",
    early_stopping=EarlyStopping(monitor="val_loss", patience=5),
    checkpoint=Checkpoint(monitor="val_loss"),
    precision="mixed_bfloat16",
    licence="of whoever trains it; the pictures of FER-2013 were gathered for research",
)
"""The published settings, the rest from Keras's guide."""
