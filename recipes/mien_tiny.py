"""mien-tiny, for browsers and small boards: nearly as large as mien-small, half of the operations.

Claim: 69.7 % top-1 accuracy on PublicTest (95 % interval 68.3 to 71.2), 68.4 % on its faces
without a duplicate in Training, in 8-bit integers and without test-time augmentation; one run of
each round, first at commit be7de11, 60 minutes, second at f89f9a7, 103 minutes and 17 for the
teachers, third at 435ffb1, 50 minutes, on one core of an AMD EPYC with AVX-512 BF16, no GPU.

In three rounds, as RECIPE is the second one:

    mien train recipes/mien_tiny.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher runs/slim_resnet --teacher runs/deep_resnet --set name=tiny-1 \\
        --set epochs=60 --set teacher_weight=0.6 --set teacher_views=0 --set teacher_mixup=0 \\
        --out runs/tiny_1
    mien train recipes/mien_tiny.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher runs/slim_resnet --teacher runs/mien_small --teacher runs/tiny_1 \\
        --pretrained runs/tiny_1/best.keras --out runs/tiny_2
    mien train recipes/mien_tiny.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher mien-large --unlabelled faces.zip --pretrained runs/tiny_2/model.onnx \\
        --set teaching=live --set teacher_views=0 --set teacher_mixup=0 \\
        --set teacher_weight=0.8 --set unlabelled_share=0.25 \\
        --set augmentation.damage_probability=0.5 --set start_share=0.75 \\
        --set checkpoint.monitor=epoch --set learning_rate=0.03 --set epochs=16 --set seed=12 \\
        --out runs/mien_tiny
    mien export runs/mien_tiny --to onnx-int8 --name mien-tiny --data fer2013.csv \\
        --out mien-tiny.onnx

The second goes on from the first round's weights at the full rate, and learns 90 % from what three
networks say of each view of a face and 10 % from the face's label, with FER+ votes as a second
task. Half of the views' pictures are blends of two faces, which no teacher was trained on; in
earlier rounds of this network without them accuracy fell towards the end (LOG.md). The teachers are
recipes/slim_resnet.py, recipes/mien_small.py (its second round) and the first round, in 8-bit
integers. The epoch is the one that is best on the faces of PublicTest without a duplicate in
Training; PrivateTest is not looked at.

The third is like that of recipes/mien_small.py: damaged and unlabelled faces, mien-large as the
teacher, 75 % of each weight kept, the last epoch taken. For that run the second round's
file was the one in 8-bit integers that was shipped until then.
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
