"""How steady video results are: tracks, labels and onsets.

    python benchmark/video_stability.py ../shared [tracks] [labels] [uncertain] [onsets] [cuts]

``../shared`` holds what the tests use, too: YuNet's file, a group photo, a clip of one woman who
talks, FER-2013. What is measured:

- tracks: clips composed of two or three heads on moving backgrounds, many pairs of people, speeds
  and frame rates (tests/moving_faces_factory.py); a clip counts as right when everybody has one
  number from beginning to end, and nobody else's;
- labels: how often the label changes on the clip, unsmoothed and smoothed;
- uncertain: the same where a least confidence makes faces uncertain, and without hysteresis;
- onsets: jittered FER-2013 tiles whose expression switches at known times: label changes, and how
  long after the unsmoothed label the smoothed one turns;
- cuts: how alike neighbouring frames and unrelated pictures are.
"""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mien.images import read_image
from mien.recognition import scenes
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import HALF_LIFE_S, MARGIN, Smoother
from mien.recognition.video_recognizer import SMALLEST_VIDEO_SEARCH_PX, VideoRecognizer
from moving_faces_factory import Actor, Clip, Head, grey_heads, heads, line, names_of_tracks
from samples_factory import unpack_tool

TILES = (0, 1, 2, 4, 5, 6, 8, 9, 10, 11)
PAIRS = 12
HALF_LIVES_S = (0.0, 0.06, 0.08, 0.1, 0.15, 0.2)
MARGINS = (0.0, 0.1, 0.2)
MIN_CONFIDENCES = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RATE_HZ = 24


def yunet(shared: Path) -> YuNet:
    """The detector as video uses it."""
    path = shared / "models" / "face_detection_yunet_2023mar.onnx"
    return YuNet(path, search_side_px=SMALLEST_VIDEO_SEARCH_PX)


def frames_of_clip(shared: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Pictures and times of the clip."""
    with av.open(str(shared / "media" / "WolfgangLanger_Pexels.mp4")) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24"), float(frame.time)


def shots(pool: dict[str, Head], a: str, b: str, c: str, seed: int) -> dict[str, list[Clip]]:
    """The clips of one pair, and of a third who comes in; the second stands in front."""
    rng = np.random.default_rng(seed)
    found = {}
    for speed, rate_hz in itertools.product((100, 250), (6, 24, 60)):
        wide, high = rng.uniform(75, 110), 180 + rng.uniform(-25, 25)
        actors = [
            Actor("a", pool[a], line((120, 180), (speed, 0), wide)),
            Actor("b", pool[b], line((520, high), (-speed, 0), wide * rng.uniform(0.8, 1.25))),
        ]
        clip = Clip(actors, duration_s=400 / speed, rate_hz=rate_hz, scenery=seed)
        found[f"cross, {speed} px/s, {rate_hz} Hz"] = [clip]
    stays = Actor("a", pool[a], line((150, 180), (20, 0)))
    returns_s = 0.95 + rng.uniform(0.2, 0.6)

    def there_and_back(time_s: float) -> tuple[float, float, float] | None:
        if time_s < 0.95:
            return 480 + 200 * time_s, 180, 90
        return None if time_s < returns_s else (670 - 200 * (time_s - returns_s), 180, 90)

    leaves = Actor("b", pool[b], lambda t: (480 + 200 * t, 180, 90) if t < 0.95 else None)
    comes = Actor("c", pool[c], lambda t: (670 - 200 * (t - 1.5), 180, 90) if t > 1.5 else None)
    found["leaves and returns"] = [
        Clip([stays, Actor("b", pool[b], there_and_back)], duration_s=2.6, scenery=seed)
    ]
    found["leaves, another enters there"] = [
        Clip([stays, leaves, comes], duration_s=2.6, scenery=seed)
    ]
    behind = Actor("a", pool[a], line((180, 180), (120, 0), 80))
    stands = Actor("b", pool[b], line((330, 180), (0, 0), 110))
    found["walks behind another, hidden for 1.2 s"] = [
        Clip([behind, stands], duration_s=2.6, scenery=seed)
    ]
    first = [stays, Actor("b", pool[b], line((460, 180), (-20, 0)))]
    second = [Actor("c", pool[c], line((160, 180), (20, 0)))]
    found["cut to another in the same place"] = [
        Clip(first, duration_s=0.8, scenery=seed),
        Clip(second, duration_s=0.8, scenery=seed + 100, begin_s=0.8),
    ]
    flash = {10: (3.0, 60.0), 11: (5.0, 100.0), 12: (2.0, 40.0)}
    for name, light in (
        ("flash", lambda t: flash.get(round(24 * t), (1.0, 0.0))),
        ("fade to black and back", lambda t: (abs(1.0 - 2 * t), 0.0)),
    ):
        found[name] = [Clip(first, duration_s=1.2, scenery=seed, light=light)]
    return found


def is_right(video: VideoRecognizer, clips: Sequence[Clip]) -> bool:
    """Whether everybody has one number per shot, and nobody else's."""
    video.restart()
    numbers: dict[tuple[int, str], set[int]] = {}
    for shot, clip in enumerate(clips):
        for frame in clip.frames():
            result = video.recognize(frame.image_rgb, time_s=frame.time_s)
            for name, track in names_of_tracks(frame, result).items():
                numbers.setdefault((shot, name), set()).add(track)
    everybody = [track for tracks in numbers.values() for track in tracks]
    return len(everybody) == len(numbers) == len(set(everybody))


def measure_tracks(shared: Path) -> None:
    """Right clips of all, for people in colour and for grey tiles."""
    video = VideoRecognizer(Recognizer("default", yunet(shared)))
    print(f"{'right clips':42s} people in colour   grey tiles")
    right: Counter[tuple[str, int]] = Counter()
    for column, pool in enumerate((heads(shared), grey_heads(shared, TILES))):
        trios = list(itertools.permutations(pool, 3))
        np.random.default_rng(1).shuffle(trios)
        for seed, (a, b, c) in enumerate(trios[:PAIRS]):
            for name, clips in shots(pool, a, b, c, seed).items():
                right[name, column] += is_right(video, clips)
    for name in dict.fromkeys(name for name, _ in right):
        print(f"{name:42s} {right[name, 0]:7d} of {PAIRS}     {right[name, 1]:4d} of {PAIRS}")


def changes(labels: Sequence[int] | np.ndarray) -> int:
    """How often neighbours differ."""
    return int(np.count_nonzero(np.diff(labels)))


def smoothed(
    classifier: Classifier, rows: np.ndarray, times_s: Sequence[float], **settings: float
) -> list[int]:
    """Labels that are shown for one track."""
    smoother = Smoother(classifier.label_set, **settings)
    pairs = zip(rows, times_s, strict=True)
    return [smoother.smooth([1], row[np.newaxis], time_s)[0].index for row, time_s in pairs]


def measure_labels(shared: Path) -> None:
    """Label changes of the clip, for several half-lives and margins."""
    video = VideoRecognizer(Recognizer("default", yunet(shared)))
    results = [video.recognize(image, time_s=time_s) for image, time_s in frames_of_clip(shared)]
    times_s = [result.time_s for result in results]
    print(f"{len(results)} frames, tracks {sorted({f.track for r in results for f in r.faces})}")
    rows = np.array([result.faces[0].raw.probabilities for result in results])
    minutes = (times_s[-1] - times_s[0]) / 60
    for half_life_s, margin in itertools.product(HALF_LIVES_S, MARGINS):
        n = changes(
            smoothed(
                video.recognizer.classifier,
                rows,
                times_s,
                half_life_s=half_life_s,
                margin=margin,
            )
        )
        print(
            f"half-life {half_life_s:.2f} s, margin {margin:.1f}: {n:3d} changes, "
            f"{n / minutes:5.1f} a minute{mark(half_life_s, margin)}"
        )


def measure_uncertain(shared: Path) -> None:
    """Label changes of the clip, uncertain being a label, for several least confidences."""
    detector = yunet(shared)
    for min_confidence in MIN_CONFIDENCES:
        video = VideoRecognizer(Recognizer("default", detector, min_confidence=min_confidence))
        faces = [
            video.recognize(image, time_s=time_s).faces[0]
            for image, time_s in frames_of_clip(shared)
        ]
        shown = [face.expression for face in faces]
        free = [replace(expression, held=None, held_uncertain=None) for expression in shown]
        kinds = ([face.raw for face in faces], free, shown)
        raw, smooth, held = (
            sum(a.label != b.label for a, b in itertools.pairwise(expressions))
            for expressions in kinds
        )
        share = np.mean([expression.is_uncertain for expression in shown])
        print(
            f"min. confidence {min_confidence:.1f}: {raw:3d} changes unsmoothed, {smooth:3d} "
            f"smoothed, {held:3d} with hysteresis; {share:4.0%} of the frames uncertain"
        )


def mark(half_life_s: float, margin: float) -> str:
    """A sign at the defaults."""
    return "   (default)" if (half_life_s, margin) == (HALF_LIFE_S, MARGIN) else ""


def jittered(tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tile as the next frame might show it."""
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), rng.normal(0, 3), np.exp(rng.normal(0, 0.04)))
    matrix[:, 2] += rng.normal(0, 1.2, 2)
    moved = cv2.warpAffine(tile, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    noisy = moved * np.exp(rng.normal(0, 0.05)) + rng.normal(0, 4, tile.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def measure_onsets(shared: Path) -> None:
    """Sequences of four expressions of 1.6 s each; every second switch takes 0.17 s."""
    images, rows = unpack_tool(shared).read(shared / "data/fer2013", None)
    classifier = Recognizer("default", "whole").classifier
    chosen = np.array([n for n, row in enumerate(rows) if row["Usage"] == "PublicTest"])
    truth = np.array([int(rows[n]["emotion"]) for n in chosen])
    probabilities = classifier.probabilities(images[chosen])
    sure = (probabilities.argmax(axis=1) == truth) & (probabilities.max(axis=1) > 0.8)
    chosen, truth = chosen[sure], truth[sure]
    rng = np.random.default_rng(0)
    sequences = []
    for number in range(100):
        kinds: list[int] = []
        while len(kinds) < 4:
            candidate = int(rng.integers(len(chosen)))
            if not kinds or truth[candidate] != truth[kinds[-1]]:
                kinds.append(candidate)
        faces = [
            jittered(tile, rng)
            for tile in blended(images[chosen[kinds]].astype(np.float64), 4 * (number % 2))
        ]
        sequences.append((classifier.probabilities(faces), truth[kinds]))
    true_changes = 3 * len(sequences)
    raw = sum(changes(rows.argmax(axis=1)) for rows, _ in sequences)
    print(f"{true_changes} true changes; unsmoothed: {raw} changes")
    for half_life_s, margin in itertools.product(HALF_LIVES_S[1:], MARGINS):
        shown = 0
        delays_s = []
        for values, kinds in sequences:
            times_s = (np.arange(len(values)) / RATE_HZ).tolist()
            labels = np.array(
                smoothed(classifier, values, times_s, half_life_s=half_life_s, margin=margin)
            )
            shown += changes(labels)
            delays_s += onsets(values.argmax(axis=1), labels, kinds)
        median, late = np.percentile(delays_s, [50, 95])
        print(
            f"half-life {half_life_s:.2f} s, margin {margin:.1f}: {shown:4d} changes; onset after "
            f"{median:.2f} s, 95 % within {late:.2f} s, {np.mean(np.array(delays_s) <= 0.3):.1%} "
            f"within 0.3 s{mark(half_life_s, margin)}"
        )


def blended(tiles: np.ndarray, frames: int) -> Iterator[np.ndarray]:
    """Each tile for 1.6 s, the first frames mixed with the tile before."""
    for index, tile in enumerate(tiles):
        for number in range(round(1.6 * RATE_HZ)):
            share = min(1.0, (number + 1) / (frames + 1)) if index else 1.0
            mixture = share * tile + (1 - share) * tiles[index - 1]
            yield mixture.astype(np.uint8)


def onsets(raw: np.ndarray, labels: np.ndarray, kinds: np.ndarray) -> list[float]:
    """Seconds from when the unsmoothed label turns to stay for three frames until it shows."""
    length = len(raw) // len(kinds)
    found = []
    for index in range(1, len(kinds)):
        part = slice(index * length, (index + 1) * length)
        hit = raw[part] == kinds[index]
        stays = np.flatnonzero(hit[:-2] & hit[1:-1] & hit[2:])
        shows = np.flatnonzero(labels[part] == kinds[index])
        if len(stays):
            found.append((shows[0] - stays[0]) / RATE_HZ if len(shows) else np.inf)
    return found


def measure_cuts(shared: Path) -> None:
    """Correlations of neighbours, and the share of unrelated pictures that pass for one scene."""
    clip = [scenes._thumbnail(image) for image, _ in frames_of_clip(shared)]
    for step in (1, 5, 12):
        values = [scenes._correlation(a, b) for a, b in zip(clip, clip[step:], strict=False)]
        print(f"frames {step / 23.976:.2f} s apart correlate at {min(values):.2f} and more")
    pictures = [clip[0]] + [
        scenes._thumbnail(read_image(shared / "media" / name))
        for name in ("multi_face.jpg", "Image_with_alpha.png")
    ]
    pictures += [
        scenes._thumbnail(next(Clip([], scenery=seed).frames()).image_rgb) for seed in range(60)
    ]
    pairs = list(itertools.combinations(pictures, 2))
    missed = sum(scenes._same_scene(a, b) for a, b in pairs)
    print(f"{missed} of {len(pairs)} cuts between unlike pictures would be missed")


SECTIONS = {
    "tracks": measure_tracks,
    "labels": measure_labels,
    "uncertain": measure_uncertain,
    "onsets": measure_onsets,
    "cuts": measure_cuts,
}


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    arguments = parser.parse_args()
    for section in arguments.sections or SECTIONS:
        if section not in SECTIONS:
            parser.error(f"no section is called {section}")
        print(f"\n{section}")
        SECTIONS[section](arguments.shared)


if __name__ == "__main__":
    main()
