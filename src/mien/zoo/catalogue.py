"""The zoo as a literal table: what every network is, costs and is known to reach.

Nothing here needs Keras, so facts can be listed where only the run time is installed. Whatever
can be computed from a built network or its exported file is pinned by a test; times are measured
by benchmark/zoo_latency.py.
"""

from dataclasses import dataclass

from mien.preprocessing import InputSpec


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Top-1 accuracy on FER-2013's PublicTest of one training of an architecture.

    One look at each face. Where the recipe takes PublicTest for validation, the epoch was chosen
    on the same faces, so it is slightly too good.
    """

    recipe: str
    """Name of the recipe."""
    accuracy: float
    """Share of faces, 0 to 1."""
    accuracy_ci95: tuple[float, float]
    """95 % interval by bootstrap."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One entry of the zoo. Its builder is the function of the same name, in the module of the
    same name."""

    default_input: InputSpec
    """The input that it was published or designed for."""
    parameters: int
    """Parameters for the default input and seven classes."""
    flops: int
    """Multiplications and additions of convolutions and dense layers for one face."""
    onnx_bytes: int
    """Size of its float32 ONNX file; it varies a little with the model card."""
    source: str
    """Where it comes from."""
    ms_per_face: float | None = None
    """Median time of one face in milliseconds, as `MEASURED_ON` says; None before it has been
    measured."""
    head: str | None = None
    """Name of the first layer of the head; what stands before it is the backbone. None where
    there is no backbone."""
    pretrained: str | None = None
    """Published weights that fit its backbone; None where there are none."""
    public_test: Accuracy | None = None
    """The best that is known; None before a training has been measured."""


MEASURED_ON = "ONNX Runtime 1.31.1, batch 1, 2 threads, 2 cores of an Intel Xeon with AMX"
"""What `Architecture.ms_per_face` was measured with."""

ARCHITECTURES: dict[str, Architecture] = {
    "wide_cnn": Architecture(
        default_input=InputSpec(48, 48, 1),
        parameters=5_173_959,
        flops=7_725_518_336,
        onnx_bytes=20_672_923,
        ms_per_face=35.7,
        source="a wide five-convolution network of a FER-2013 tutorial",
    ),
    "plain_cnn": Architecture(
        default_input=InputSpec(48, 48, 1),
        parameters=2_489_095,
        flops=173_520_128,
        onnx_bytes=9_957_705,
        ms_per_face=0.92,
        source="a plain four-convolution network, common in FER-2013 tutorials",
        public_test=Accuracy("plain-cnn, 30 epochs", 0.6002, (0.5851, 0.6163)),
    ),
    "batchnorm_cnn": Architecture(
        default_input=InputSpec(48, 48, 1),
        parameters=4_478_727,
        flops=580_951_040,
        onnx_bytes=17_885_402,
        ms_per_face=3.2,
        source="common in notebooks on Kaggle's face expression recognition set",
    ),
    "compact_cnn": Architecture(
        default_input=InputSpec(48, 48, 1),
        parameters=492_471,
        flops=185_797_024,
        onnx_bytes=1_965_876,
        ms_per_face=0.92,
        source="mien's own, of the published size; convolutions as in VGG, 2015",
        public_test=Accuracy("compact-cnn-modern", 0.6690, (0.6537, 0.6849)),
    ),
    "slim_resnet": Architecture(
        default_input=InputSpec(48, 48, 1),
        parameters=853_671,
        flops=165_005_952,
        onnx_bytes=3_404_553,
        ms_per_face=0.87,
        source="mien's own; residual blocks of He et al., 2016",
        public_test=Accuracy("slim-resnet", 0.6927, (0.6773, 0.7074)),
    ),
    "face_resnet": Architecture(
        default_input=InputSpec(48, 48, 1),
        parameters=4_444_583,
        flops=265_571_840,
        onnx_bytes=17_765_938,
        source="the shape of dlib's face recognition, King, 2017, for 48 x 48",
        head="pool",
        pretrained="dlib",
        public_test=Accuracy("face-resnet", 0.6801, (0.6643, 0.6949)),
    ),
    "efficientnet_b2": Architecture(
        default_input=InputSpec(260, 260, 3),
        parameters=8_131_065,
        flops=1_985_032_224,
        onnx_bytes=32_051_949,
        ms_per_face=17.6,
        source="Tan and Le, 2019, from keras.applications, with a new head",
        head="pool",
        pretrained="imagenet",
    ),
    "resnet50": Architecture(
        default_input=InputSpec(224, 224, 3),
        parameters=24_114_055,
        flops=7_712_902_656,
        onnx_bytes=95_955_342,
        ms_per_face=39.3,
        source="He et al., 2016, from keras.applications, with a new head",
        head="pool",
        pretrained="imagenet",
    ),
}
"""Every network by name."""
