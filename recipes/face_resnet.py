"""A network that starts from dlib's face recognition: the best single one, and a teacher."""

from mien.data.augmentation import Augmentation
from mien.training.phases import Phase
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="face-resnet",
    architecture="face_resnet",
    pretrained="dlib_face_recognition_resnet_model_v1.dat",
    drop_validation_twins=True,
    augmentation=Augmentation(
        horizontal_flip=True,
        rotation_deg=12.0,
        zoom=0.12,
        width_shift=0.08,
        height_shift=0.08,
        brightness=0.2,
        contrast=0.3,
        erasing_probability=0.4,
        mixup_alpha=0.2,
    ),
    phases=(Phase(trainable="stage2_block1_1_conv"),),
    epochs=27,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.03,
    schedule="cosine",
    warmup_epochs=1.0,
    weight_decay=5e-3,
    ferplus_weight=1.0,
    teacher_weight=0.5,
    teacher_views=20,
    ema_momentum=0.998,
    precision="mixed_bfloat16",
    licence="MIT; the pictures of FER-2013 were gathered from the web for research",
    seed=1,
)
