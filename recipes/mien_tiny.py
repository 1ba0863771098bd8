"""mien-tiny, for browsers and small boards: nearly as large as mien-small, half of the operations.

Claim: 69.5 % top-1 accuracy on PublicTest (95 % interval 68.0 to 70.9), 68.5 % on its faces
without a duplicate in Training, in 8-bit integers and without test-time augmentation (69.7 and 68.6
% before); one run, seed 1, first round at commit be7de11, 60 minutes, second at f89f9a7, 103
minutes on one core of an AMD EPYC with AVX-512 BF16, no GPU, and 17 for the teachers on both.

In two rounds, as RECIPE is the second one:

    mien train recipes/mien_tiny.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher runs/slim_resnet --teacher runs/deep_resnet --set name=tiny-1 \\
        --set epochs=60 --set teacher_weight=0.6 --set teacher_views=0 --set teacher_mixup=0 \\
        --out runs/tiny_1
    mien train recipes/mien_tiny.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher runs/slim_resnet --teacher runs/mien_small --teacher runs/tiny_1 \\
        --pretrained runs/tiny_1/best.keras --out runs/mien_tiny
    mien export runs/mien_tiny --to onnx-int8 --name mien-tiny --data fer2013.csv \\
        --out mien-tiny.onnx

It goes on from the first round's weights at the full rate, and learns 90 % from what three networks
say of each view of a face and 10 % from the face's label, with FER+ votes as a second task. Half of
the views' pictures are blends of two faces, which no teacher was trained on; in earlier rounds of
this network without them accuracy fell towards the end (LOG.md). The teachers
are recipes/slim_resnet.py, recipes/mien_small.py and the first round. The epoch is the one that is
best on the faces of PublicTest without a duplicate in Training; PrivateTest is not looked at. For
that run the teachers were used in 8-bit integers (mien export --to onnx-int8).
"""

from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="mien-tiny",
    architecture="slim_resnet",
    architecture_options={"stem": 16, "widths": (32, 64, 128, 240), "depths": (1, 1, 1, 1)},
    drop_validation_duplicates=True,
    augmentation=Augmentation(
        horizontal_flip=True,
        rotation_deg=12.0,
        zoom=0.12,
        width_shift=0.08,
        height_shift=0.08,
        brightness=0.15,
        contrast=0.25,
        erasing_probability=0.25,
    ),
    epochs=112,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="cosine",
    warmup_epochs=1.0,
    weight_decay=5e-3,
    ferplus_weight=1.0,
    teacher_weight=0.9,
    teacher_views=24,
    teacher_mixup=0.5,
    ema_momentum=0.997,
    precision="mixed_bfloat16",
    licence="MIT; the pictures of FER-2013 were gathered from the web for research",
    seed=1,
)
