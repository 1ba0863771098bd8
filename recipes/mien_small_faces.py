"""A network that starts from dlib's face recognition: mien-small."""

from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="mien-small",
    architecture="face_resnet",
    architecture_options={"widths": (32, 64, 128, 144), "depths": (1, 3, 3, 1)},
    pretrained="dlib_face_recognition_resnet_model_v1.dat",
    drop_validation_twins=True,
    augmentation=Augmentation(
        horizontal_flip=True,
        rotation_deg=12.0,
        zoom=0.12,
        width_shift=0.08,
        height_shift=0.08,
        brightness=0.15,
        contrast=0.25,
        erasing_probability=0.25,
        mixup_alpha=0.2,
    ),
    epochs=68,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
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
