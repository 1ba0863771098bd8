"""A network that starts from dlib's face recognition: the best single one, and a teacher."""

from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="face-resnet",
    architecture="face_resnet",
    pretrained="dlib_face_recognition_resnet_model_v1.dat",
    drop_validation_twins=True,
    augmentation=Augmentation(
        horizontal_flip=True,
        rotation_deg=15.0,
        zoom=0.15,
        width_shift=0.1,
        height_shift=0.1,
        brightness=0.2,
        contrast=0.3,
        erasing_probability=0.5,
        mixup_alpha=0.2,
    ),
    epochs=32,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.03,
    schedule="cosine",
    warmup_epochs=1.0,
    weight_decay=5e-3,
    label_smoothing=0.1,
    ferplus_weight=1.0,
    ema_momentum=0.998,
    precision="mixed_bfloat16",
    licence="MIT; the pictures of FER-2013 were gathered from the web for research",
    seed=1,
)
