"""mien-small, the default model: a residual network of 1.4 million parameters that had teachers.

Claim: 70.2 % top-1 accuracy on PublicTest (95 % interval 68.7 to 71.6), 68.9 % on its faces
without a duplicate in Training, without test-time augmentation, and 88.0 % of FER+'s majorities by
its second head in 8-bit integers; one run of each round, first at commit be7de11, 58 minutes,
second at 2b34467, 101 minutes and 11 for the teachers, third at 435ffb1, 60 minutes, on one core of
an AMD EPYC with AVX-512 BF16, no GPU.

In three rounds, as RECIPE is the second one:

    mien train recipes/mien_small.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher runs/slim_resnet --teacher runs/deep_resnet \\
        --pretrained runs/deep_resnet/best.keras --set name=small-1 --set epochs=40 \\
        --set learning_rate=0.05 --set teacher_weight=0.6 --set teacher_views=0 --out runs/small_1
    mien train recipes/mien_small.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher runs/slim_resnet --teacher runs/small_1 --teacher runs/tiny_1 \\
        --pretrained runs/small_1/best.keras --out runs/small_2
    mien train recipes/mien_small.py --data fer2013.csv --ferplus fer2013new.csv \\
        --teacher mien-large --unlabelled faces.zip --pretrained runs/small_2/model.onnx \\
        --set teaching=live --set teacher_views=0 --set teacher_weight=0.8 \\
        --set unlabelled_share=0.25 --set augmentation.damage_probability=0.5 \\
        --set start_share=0.75 --set checkpoint.monitor=epoch --set learning_rate=0.03 \\
        --set epochs=16 --set seed=11 --out runs/mien_small

The second goes on from the first round's weights at the full rate, and learns 70 % from what three
networks of the first round say of each view of a face and 30 % from the face's label, with FER+
votes as a second task. Its epoch is the one that is best on the faces of PublicTest without a
duplicate in Training; PrivateTest is not looked at. For that run the teachers were used in 8-bit
integers (mien export --to onnx-int8), and not asked about mirror images, as they are now.

The third sees half of its faces blurred, coarse or noisy, while mien-large is asked about the same
crops unharmed, and a quarter of its faces are FairFace's, without labels. Each weight is 75 % of
the second round's and 25 % of what was learned; that share was chosen on PublicTest after the last
epoch, which is kept (LOG.md).
"""

from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="mien-small",
    architecture="slim_resnet",
    architecture_options={"stem": 16, "widths": (32, 64, 128, 224), "depths": (1, 2, 2, 1)},
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
    epochs=88,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="cosine",
    warmup_epochs=1.0,
    weight_decay=5e-3,
    ferplus_weight=1.0,
    teacher_weight=0.7,
    teacher_views=20,
    ema_momentum=0.998,
    precision="mixed_bfloat16",
    licence="MIT; the pictures of FER-2013 were gathered from the web for research",
    seed=1,
)
