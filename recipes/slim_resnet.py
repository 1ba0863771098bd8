"""slim_resnet on FER-2013 with FER+ votes as a second task: a first teacher of mien-small.

Claim: 69.3 % top-1 accuracy on PublicTest (95 % interval 67.7 to 70.7) without test-time
augmentation, 67.8 % on its faces without a duplicate in Training; one run, seed 1, at commit
0088570, 58 minutes on 2 busy cores of an Intel Xeon with AMX, no GPU.

    mien train recipes/slim_resnet.py --data fer2013.csv --ferplus fer2013new.csv \\
        --out runs/slim_resnet

Trained on all rows of Training; the epoch is the one that is best on PublicTest; PrivateTest is
not looked at. The second head learns the ten annotators' votes (Barsoum et al., 2016) from the
same features; it is exported as a network of its own, ferplus.onnx. Since that run the statistics
of batch normalisation are averaged like the weights, so a new run will differ a little.
"""

from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="slim-resnet",
    architecture="slim_resnet",
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
    epochs=56,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="cosine",
    warmup_epochs=1.0,
    weight_decay=5e-3,
    label_smoothing=0.1,
    ferplus_weight=0.5,
    ema_momentum=0.997,
    precision="mixed_bfloat16",
    licence="MIT; the pictures of FER-2013 were gathered from the web for research",
    seed=1,
)
