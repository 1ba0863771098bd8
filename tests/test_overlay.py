from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mien.drawing import Annotator, annotate, fonts, texts
from mien.drawing.sprites import Canvas, SpriteCache
from mien.labels import (
    FER2013,
    FERPLUS,
    NEUTRAL,
    UNCERTAIN,
    Label,
    LabelSet,
    label_set_of,
)
from mien.results import Expression, Face, FrameResult
from picture_factory import gradient

EXPRESSION = Expression(FER2013, (0.02, 0.01, 0.02, 0.8, 0.05, 0.05, 0.05))


def result_of(height, width, *boxes, expression=EXPRESSION, track=None):
    faces = tuple(Face(box, 0.9, expression=expression, track=track) for box in boxes)
    return FrameResult(width, height, "fixed", faces, "a,b.jpg")


def background(height, width, value):
    return np.full((height, width, 3), value, np.uint8)


def changed(image, annotated):
    return (image != annotated).any(axis=2)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(360, 640), (2160, 3840), (300, 200)])
def test_box_and_label_are_visible(value, height, width):
    image = background(height, width, value)
    before = image.copy()
    box = (width * 0.3, height * 0.3, width * 0.2, height * 0.3)
    annotated = annotate(image, result_of(height, width, box))
    assert annotated.dtype == np.uint8
    assert annotated.shape == image.shape
    assert np.array_equal(image, before)
    color = np.array(FER2013[3].color_rgb)
    drawn = (annotated == color).all(axis=2)
    # The box's left line, and a tag of the label's colour above the box.
    assert drawn[int(height * 0.45), int(box[0]) : int(box[0] + box[2] / 2)].any()
    assert drawn[: int(box[1])].sum() > width
    # The face itself stays as it is.
    inside = np.s_[int(height * 0.4) : int(height * 0.5), int(width * 0.35) : int(width * 0.45)]
    assert not changed(image, annotated)[inside].any()


def test_text_scales_with_the_picture():
    extents = []
    for scale in (1, 4):
        height, width = 360 * scale, 640 * scale
        image = background(height, width, 0)
        box = tuple(scale * value for value in (200.0, 120.0, 100.0, 120.0))
        rows = changed(image, annotate(image, result_of(height, width, box)))[: int(box[1])]
        extents.append(np.flatnonzero(rows.any(axis=1)).size)
    assert extents[1] / extents[0] == pytest.approx(4.0, rel=0.25)


@pytest.mark.parametrize(
    "box",
    [
        (0.0, 0.0, 60.0, 60.0),
        (580.0, 0.0, 60.0, 60.0),
        (0.0, 300.0, 60.0, 60.0),
        (580.0, 300.0, 60.0, 60.0),
        (0.0, 0.0, 640.0, 360.0),
        (300.0, 100.0, 1.0, 1.0),
    ],
)
def test_tags_stay_in_the_picture(box):
    image = background(360, 640, 0)
    annotated = annotate(image, result_of(360, 640, box, track=12))
    tag = (annotated == np.array(FER2013[3].color_rgb)).all(axis=2)
    assert tag.sum() > 500  # the whole filled tag, not a cut one


def test_neighbours_keep_their_own_tags():
    image = background(400, 800, 0)
    alone = []
    boxes = [(100.0, 150.0, 60.0, 80.0), (130.0, 160.0, 60.0, 80.0), (165.0, 155.0, 60.0, 80.0)]
    other = Expression(FER2013, (0.9, 0.1, 0, 0, 0, 0, 0))
    for box in boxes:
        annotated = annotate(image, result_of(400, 800, box, expression=other))
        alone.append(int((annotated == FER2013[0].color_rgb).all(axis=2).sum()))
    together = annotate(image, result_of(400, 800, *boxes, expression=other))
    # Charts and boxes may give way; tags covered by one another would lose a third of this.
    assert (together == FER2013[0].color_rgb).all(axis=2).sum() > 0.65 * sum(alone)


def test_the_chart_shows_all_classes():
    image = background(720, 1280, 0)
    result = result_of(720, 1280, (300.0, 200.0, 200.0, 250.0))
    annotated = annotate(image, result)
    for label, probability in zip(FER2013, EXPRESSION.probabilities, strict=True):
        if probability >= 0.05:
            assert (annotated == np.array(label.color_rgb)).all(axis=2).sum() > 5


def test_classes_of_0_percent_have_no_bar():
    image = background(720, 1280, 0)
    almost_sure = Expression(FER2013, (0.004, 0.0, 0.0, 0.99, 0.006, 0.0, 0.0))
    box = (300.0, 200.0, 200.0, 250.0)
    annotated = annotate(image, result_of(720, 1280, box, expression=almost_sure))
    drawn = [bool((annotated == np.array(label.color_rgb)).all(axis=2).any()) for label in FER2013]
    assert drawn == [False, False, False, True, True, False, False]


def test_a_line_leads_to_a_chart_away_from_its_face():
    # No room at the sides or below: the chart stands above the tag.
    image = background(900, 300, 0)
    annotated = annotate(image, result_of(900, 300, (80.0, 720.0, 140.0, 150.0)))
    rows = np.flatnonzero((annotated == np.array(FER2013[3].color_rgb)).all(axis=2).any(axis=1))
    assert rows[-1] - rows[0] > 250  # face, tag, line and chart
    # Rows of round corners are blended; the chart is further away than they are high.
    assert np.diff(rows).max() <= 5


def test_small_faces_get_no_chart():
    image = background(720, 1280, 0)
    small = annotate(image, result_of(720, 1280, (300.0, 200.0, 20.0, 25.0)))
    assert not (small == np.array(FER2013[4].color_rgb)).all(axis=2).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (8, 8), (30, 2000)])
def test_tiny_pictures(shape):
    height, width = shape
    box = (0.0, 0.0, float(width), float(height))
    image = background(height, width, 50)
    assert annotate(image, result_of(height, width, box)).shape == image.shape


def test_unclassified_faces_other_labels_and_none():
    image = gradient(300, 400)
    unclassified = annotate(image, result_of(300, 400, (50.0, 50.0, 80.0, 80.0), expression=None))
    assert changed(image, unclassified).any()
    eight = Expression(FERPLUS, (0, 0, 0, 0, 0, 0, 0, 1.0))
    bright = annotate(image, result_of(300, 400, (50.0, 50.0, 80.0, 80.0), expression=eight))
    assert (bright == np.array(FERPLUS[7].color_rgb)).all(axis=2).any()
    nothing = annotate(image, result_of(300, 400))
    assert np.array_equal(nothing, image)
    assert nothing is not image


def test_a_result_of_another_picture_is_refused():
    with pytest.raises(ValueError, match="640 x 360"):
        annotate(gradient(), result_of(360, 640))


def test_read_only_pictures_can_be_annotated():
    image = gradient(100, 100)
    image.setflags(write=False)
    assert annotate(image, result_of(100, 100, (10.0, 10.0, 50.0, 50.0))).shape == image.shape


def test_boxes_beyond_the_picture_are_cut_off():
    image = background(200, 300, 0)
    annotated = annotate(image, result_of(200, 300, (-40.0, -30.0, 400.0, 120.0)))
    assert annotated.shape == image.shape
    assert (annotated[89] == FER2013[3].color_rgb).all(axis=1).sum() > 150


def test_dark_colours_are_set_off_by_light():
    label_set = label_set_of(("bored", "excited"))
    image = background(300, 400, 0)
    sure = Expression(label_set, (0.9, 0.1))
    annotated = annotate(image, result_of(300, 400, (150.0, 60.0, 100.0, 200.0), expression=sure))
    assert annotated[160, 140:160].max() > 60


LONG = Label("long", "W" * 200, (200, 0, 0))
RUSSIAN = Label("joy_ru", "Радость", (0, 200, 0))
UNKNOWN = Label("\U000e0fff", "\U000e0fff", (0, 0, 200))
EMOJI = Label("fine", "Fine \U0001fae0\n", (0, 200, 200))


@pytest.fixture
def no_system_fonts(monkeypatch):
    monkeypatch.setattr(fonts, "system_font_files", lambda: ())
    caches = (fonts._known_files, fonts._file_for, fonts.font_for, texts.shown_name)
    for cached in caches:
        cached.cache_clear()
    yield
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()


def test_names_without_letters_are_replaced_and_told(no_system_fonts, caplog):
    names = [texts.shown_name(label, i) for i, label in enumerate((RUSSIAN, UNKNOWN, EMOJI))]
    assert names == ["joy_ru", "class 1", "Fine"]
    assert len(caplog.records) == 3
    assert "'Радость'; pictures say 'joy_ru'" in caplog.text


def test_long_names_are_cut():
    label_set = LabelSet("odd", (LONG, RUSSIAN))
    sure = Expression(label_set, (1.0, 0.0))
    image = background(300, 1000, 0)
    annotated = annotate(image, result_of(300, 1000, (450.0, 60.0, 100.0, 100.0), expression=sure))
    drawn = (annotated == np.array(LONG.color_rgb)).all(axis=2)
    assert 100 < drawn.any(axis=0).sum() < 450


def video_of(*boxes_of_frames):
    for number, boxes in enumerate(boxes_of_frames):
        faces = tuple(
            Face(box, 0.9, expression=EXPRESSION, track=track + 1)
            for track, box in enumerate(boxes)
        )
        yield FrameResult(640, 360, "fixed", faces, frame=number, time_s=number / 25)


def chart_columns(image, annotated):
    """Where the dark panel of the chart stands: columns, beside the box and its tag."""
    panel = np.abs(annotated.astype(int) - (66, 68, 71)).max(axis=2) < 3  # over 250
    return np.flatnonzero(panel.sum(axis=0) > 20)


def test_a_chart_stays_where_it_was_while_it_is_free():
    # The face drifts to the left, where the right side is the first choice again.
    image = background(360, 640, 250)
    frames = [[(x, 100.0, 80.0, 100.0)] for x in (540.0, 530.0, 400.0, 300.0)]
    annotator = Annotator()
    for result in video_of(*frames):
        left_of_face = chart_columns(image, annotator.annotate(image, result))
        assert left_of_face.size > 20
        assert left_of_face.max() < result.faces[0].box_xywh_px[0]
    alone = chart_columns(image, annotate(image, result))
    assert alone.min() > 380


def test_a_chart_that_gave_way_stays_away_for_a_while():
    image = background(360, 640, 250)
    face, other = (250.0, 150.0, 80.0, 100.0), (380.0, 150.0, 80.0, 100.0)
    crowd = [face, other, (100.0, 150.0, 80.0, 100.0), (240.0, 20.0, 200.0, 100.0)]
    crowd.append((160.0, 290.0, 400.0, 60.0))
    annotator = Annotator()
    shown = [
        chart_columns(image, annotator.annotate(image, result)).size > 0
        for result in video_of([face], crowd, *[[face]] * 20)
    ]
    assert shown[0]
    assert not any(shown[2:13])
    assert all(shown[15:])


def test_an_annotator_forgets_tracks_that_left_and_earlier_videos():
    image = background(360, 640, 250)
    annotator = Annotator()
    first, last = video_of([(540.0, 100.0, 80.0, 100.0)], [(300.0, 100.0, 80.0, 100.0)])
    expected = annotate(image, last)
    annotator.annotate(image, first)
    assert not np.array_equal(annotator.annotate(image, last), expected)
    later = replace(last, time_s=60.0)
    assert np.array_equal(annotator.annotate(image, later), expected)
    assert np.array_equal(annotator.annotate(image, first), annotate(image, first))


def test_the_tag_has_the_same_width_for_all_confidences():
    image = background(360, 640, 0)
    widths = set()
    for sure in (0.31, 0.77, 0.9):
        rest = (1 - sure) / 6
        expression = Expression(FER2013, (rest, rest, rest, sure, rest, rest, rest))
        annotated = annotate(
            image, result_of(360, 640, (5.0, 300.0, 60.0, 50.0), expression=expression)
        )
        tag = (annotated[270:296] == np.array(FER2013[3].color_rgb)).all(axis=2)
        widths.add(int(tag.any(axis=0).sum()))
    assert len(widths) == 1


def test_kept_sprites_are_bounded():
    cache = SpriteCache(20_000)
    drawn = []

    def draw(number):
        drawn.append(number)
        return Canvas(20, 20).sprite()

    for number in range(30):
        cache.get(number, partial(draw, number))
    assert cache.n_bytes <= 20_000
    cache.get(29, partial(draw, 29))
    cache.get(0, partial(draw, 0))
    assert drawn == [*range(30), 0]


def test_sprites_blend_and_are_cut_off_at_every_side():
    canvas = Canvas(4, 4)
    canvas.fill(np.full((4, 4), 0.5, np.float32), (200, 100, 0))
    sprite = canvas.sprite()
    for left, top in ((-2, -2), (8, 8), (-2, 8), (3, 3), (-4, 0), (20, 0), (0, -50)):
        image = background(10, 10, 100)
        sprite.lay(image, left, top)
        touched = np.zeros((30, 30), bool)
        touched[top + 10 : top + 14, left + 10 : left + 14] = top > -10
        expected = touched[10:20, 10:20]
        assert np.array_equal((image != 100).any(axis=2), expected)
        assert (np.abs(image[expected].astype(int) - (150, 100, 50)) <= 1).all()


UNSURE = replace(EXPRESSION, min_confidence=0.9)


def pixels_of(annotated, color):
    return (annotated == np.array(color)).all(axis=2)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(360, 640), (2160, 3840)])
def test_an_uncertain_face_has_a_dashed_box_a_grey_tag_and_its_chart(value, height, width):
    image = background(height, width, value)
    box = (width * 0.4, height * 0.3, width * 0.2, height * 0.4)
    annotated = annotate(image, result_of(height, width, box, expression=UNSURE))
    light, dark = pixels_of(annotated, UNCERTAIN.color_rgb), pixels_of(annotated, (20, 22, 26))
    # Along the box's left line, both colours take turns and neither prevails.
    column = int(box[0])
    rows = slice(int(box[1]) + height // 20, int(box[1] + box[3]) - height // 20)
    shares = light[rows, column].mean(), dark[rows, column].mean()
    assert min(shares) > 0.35 and sum(shares) > 0.9
    assert np.count_nonzero(np.diff(light[rows, column])) >= 6
    assert light[: int(box[1])].sum() > width  # the tag
    for label, probability in zip(FER2013, EXPRESSION.probabilities, strict=True):
        if probability >= 0.05:  # the bars
            assert pixels_of(annotated, label.color_rgb).sum() > 5
    inside = np.s_[int(height * 0.4) : int(height * 0.5), int(width * 0.45) : int(width * 0.55)]
    assert not changed(image, annotated)[inside].any()


def test_uncertain_does_not_look_like_neutral():
    image = background(360, 640, 0)
    box = (250.0, 100.0, 100.0, 140.0)
    neutral = Expression(FER2013, (*[0.05] * 6, 0.7))
    drawn = [
        annotate(image, result_of(360, 640, box, expression=expression))
        for expression in (neutral, replace(neutral, min_confidence=0.9))
    ]
    greys = [pixels_of(picture, NEUTRAL.color_rgb).sum() for picture in drawn]
    # What is left of neutral's grey is its bar.
    assert greys[1] < 0.2 * greys[0]


def test_no_confidence_stands_on_an_uncertain_tag():
    image = background(360, 640, 0)
    faces = [
        Expression(FER2013, (rest, rest, rest, sure, rest, rest, rest), min_confidence=0.95)
        for sure in (0.31, 0.9)
        for rest in [(1 - sure) / 6]
    ]
    tags = [
        annotate(image, result_of(360, 640, (5.0, 300.0, 60.0, 50.0), expression=face))[250:300]
        for face in faces
    ]
    assert np.array_equal(tags[0][:, :110], tags[1][:, :110])
    tag = pixels_of(tags[0], UNCERTAIN.color_rgb)
    assert 50 < tag.any(axis=0).sum() < 110


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (8, 8), (30, 2000)])
@pytest.mark.parametrize("shift", [0.0, -3.0, 0.5])
def test_uncertain_faces_in_tiny_pictures_and_at_edges(shape, shift):
    height, width = shape
    box = (shift * width, shift * height, float(width), float(height))
    image = background(height, width, 50)
    annotated = annotate(image, result_of(height, width, box, expression=UNSURE))
    assert annotated.shape == image.shape


BARS = [Expression(FER2013, (0.0, 0.0, 0.0, 1.0 - p, p, 0.0, 0.0), held=3) for p in (0.6, 0.8)]
"""Sad is the longest bar, but its colour is in no outline, for happy is held."""


def test_the_chart_marks_the_least_confidence():
    image = background(720, 1280, 0)
    box = (300.0, 200.0, 200.0, 250.0)
    plain = annotate(image, result_of(720, 1280, box))
    marked, higher = (
        annotate(image, result_of(720, 1280, box, expression=replace(EXPRESSION, min_confidence=p)))
        for p in (0.3, 0.6)
    )
    columns = [np.flatnonzero(changed(plain, other).any(axis=0)) for other in (marked, higher)]
    assert all(1 <= found.size <= 3 for found in columns)  # a thin line, and nothing else
    half, sure = (annotate(image, result_of(720, 1280, box, expression=e)) for e in BARS)
    ends = [
        np.flatnonzero(pixels_of(picture, FER2013[4].color_rgb)[:, columns[0][0] :].any(axis=0))
        for picture in (half, sure)
    ]
    # A bar of 60 % ends where the line of 60 % stands.
    assert columns[1][0] - columns[0][0] == pytest.approx(ends[0].max(), abs=2)
    assert ends[1].max() > ends[0].max()
