"""A residual network of eleven million parameters: the teacher that a GPU could train.

Claim: none yet. It has only been built, for want of a GPU:
about 1.2 GFLOP a face forward, 200 epochs, some 2e16 operations in all.

    KERAS_BACKEND=jax mien train recipes/large_resnet.py --data fer2013.csv \\
        --ferplus fer2013new.csv --out runs/large_resnet
    KERAS_BACKEND=tensorflow mien export runs/large_resnet

The shape is that of ResNet-18 (He et al., 2016) at the full resolution of 48 x 48, with mixup,
label smoothing, erasing and a cosine, and with FER+ votes as a second task. The epoch is chosen
on the faces of PublicTest without a duplicate in Training; PrivateTest is not looked at.
"""

from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="large-resnet",
    architecture="slim_resnet",
    architecture_options={
        "stem": 64,
        "widths": (64, 128, 256, 512),
        "depths": (2, 2, 2, 2),
        "dropout": 0.4,
    },
    drop_validation_duplicates=True,
    augmentation=Augmentation(
        horizontal_flip=True,
        rotation_deg=15.0,
        zoom=0.15,
        width_shift=0.1,
        height_shift=0.1,
        brightness=0.2,
        contrast=0.3,
        erasing_probability=0.5,
        mixup_alpha=0.3,
    ),
    epochs=200,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="cosine",
    warmup_epochs=3.0,
    weight_decay=5e-3,
    label_smoothing=0.1,
    ferplus_weight=1.0,
    ema_momentum=0.999,
    precision="mixed_bfloat16",
    licence="MIT; the pictures of FER-2013 were gathered from the web for research",
    seed=1,
)
