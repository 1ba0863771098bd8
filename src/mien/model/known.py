"""What is known of the shipped models beyond their cards, by the SHA-256 of their files.

The files are sealed and stay as they are, so what was measured after they were made stands here.
A file with another hash has none of it. docs/numbers.md has the same figures with more words.
"""

from mien.labels import ANGRY, CONTEMPT, DISGUST, FEAR, HAPPY, NEUTRAL, SAD, SURPRISE, Label
from mien.model.evidence import Evidence

_SMALL = "eb75ce1392896477a31703d9b673dbc4e0fe77ddef9dc6b6a2f75b550578210d"
_SMALL_INT8 = "884d684ad85dac382bb6b798e184c462aa0cf55d4feb605d3180bf0d21e62b1e"
_TINY = "1212da3e6f3ce977f247e505566af0fb326dfde9e4fd45ca802ad56d0211d358"
_LARGE = "2c6d30d5a5963a770c330f02bc2d082d990ce623b2c29558b7a6f2c85c6d4ebd"
_FERPLUS = "091a68eae52786a77bec56f9fda425a8a5f9dacd3729454305fc3327e7d37833"

_COMMIT = "d890c62"
_OUTSIDE = "measured once, outside of this project, on the finished file"
_OUTSIDE_ONE_OF = (
    "measured once, outside of this project, on the finished file of one of the shipped models "
    "with seven classes; which one was not noted"
)


def known_of(sha256: str) -> tuple[Evidence, ...]:
    """What is known of a model's file; nothing where the file is not one that was shipped.

    Args:
        sha256: hash of the file.
    """
    return _KNOWN.get(sha256, ())


def _private_test(*rows: tuple[str, str, str]) -> Evidence:
    return Evidence(
        "unseen faces",
        "fer2013.csv test (PrivateTest), 3,589 faces",
        "Nothing was chosen on these faces, and no training has seen them.",
        ("", "top-1 accuracy (95 % interval)", "without duplicates in Training"),
        rows,
        f"mien evaluate MODEL --data fer2013.csv --split test; {_OUTSIDE}",
        commit=_COMMIT,
    )


_OTHER_FACES = Evidence(
    "other faces",
    "Posed faces of another laboratory, wide colour crops from the web, posed portraits of East "
    "Asian women; of this or another of the shipped models with seven classes",
    "An accuracy on FER-2013 does not carry over to other faces. No training and no choice has "
    "seen these.",
    ("faces", "top-1 accuracy"),
    (
        ("posed faces of another laboratory", "81.2 %"),
        ("wide colour crops from the web, four classes", "56 %"),
        ("posed portraits of East Asian women", "49 %"),
    ),
    _OUTSIDE_ONE_OF,
)
_GROUPS = (
    Evidence(
        "groups",
        "Answers by group (seven, not named) and confidence by age, 5,000 faces without labels; of "
        "this or another of the shipped models with seven classes",
        "The answers differ by group by more than chance allows. Without labels nobody can say "
        "which of them are wrong.",
        ("what", "lowest", "highest"),
        (
            (f"answer {HAPPY.key}, by group", "36 %", "47 %"),
            ("confidence below 0.5, people in their twenties and in their fifties", "24 %", "42 %"),
        ),
        _OUTSIDE_ONE_OF,
    ),
    Evidence(
        "fault",
        "Reads some people worse",
        f"On posed portraits of East Asian women {ANGRY.key} was never found; frowns were taken "
        f"for {SAD.key}; so it was with one of the shipped models with seven classes.",
        measured_by=_OUTSIDE_ONE_OF,
    ),
)


def _confusions(
    recalls: tuple[tuple[Label, int, int], ...],
    taken: tuple[tuple[Label, Label, int], ...],
    *,
    ferplus: bool = False,
) -> Evidence:
    """Recalls as (class, faces, recall in %), and what classes are taken for, in % of the first."""
    rows = []
    for label, faces, recall in recalls:
        others = [f"{other.key} {share} %" for true, other, share in taken if true is label]
        rows.append((label.key, f"{faces}", f"{recall} %", ", ".join(others)))
    worst = min(recalls, key=lambda row: row[2])
    against = " against the majority of FER+'s annotators" if ferplus else ""
    option = " --ferplus fer2013new.csv" if ferplus else ""
    return Evidence(
        "confusions",
        "What it confuses, fer2013.csv validation (PublicTest)",
        f"Worst class{against}: {worst[0].key}, of which it finds {worst[2]} % "
        f"({worst[1]} faces). In the last column: taken for, where that is 10 % or more.",
        ("class", "faces", "found", "taken for"),
        tuple(rows),
        f"mien evaluate MODEL --data fer2013.csv{option} --split validation --tta none",
    )


_SMALL_CONFUSIONS = _confusions(
    (
        (ANGRY, 467, 66),
        (DISGUST, 56, 46),
        (FEAR, 496, 47),
        (HAPPY, 895, 89),
        (SAD, 653, 59),
        (SURPRISE, 415, 82),
        (NEUTRAL, 607, 69),
    ),
    (
        (DISGUST, ANGRY, 38),
        (FEAR, SAD, 21),
        (SAD, NEUTRAL, 17),
        (NEUTRAL, SAD, 13),
        (FEAR, NEUTRAL, 12),
        (FEAR, ANGRY, 12),
        (ANGRY, NEUTRAL, 11),
        (SAD, FEAR, 11),
    ),
)

_SMALL_INT8_STRESS = Evidence(
    "disturbed pictures",
    "3,589 faces of fer2013.csv validation (PublicTest), each with 12 kinds of damage: blur, "
    "noise, brightness, contrast, gamma, JPEG, roll, box shift, box scale, face size, eyes "
    "covered, mouth covered",
    "Accuracy 69.9 % unharmed, 56.1 % on average over all kinds in five strengths. Noise costs "
    "most, 35.5 points.",
    ("damage", "mean accuracy", "cost, points", "recall falls most"),
    (
        ("noise", "34.3 %", "35.5", f"{HAPPY.key}, 89 to 25 %"),
        ("blur", "42.3 %", "27.6", f"{ANGRY.key}, 66 to 22 %"),
        ("mouth covered", "47.9 %", "21.9", f"{HAPPY.key}, 89 to 37 %"),
        ("face size", "48.0 %", "21.8", f"{NEUTRAL.key}, 69 to 30 %"),
        ("JPEG", "53.5 %", "16.4", f"{HAPPY.key}, 89 to 61 %"),
        ("eyes covered", "54.0 %", "15.9", f"{SURPRISE.key}, 82 to 50 %"),
        ("contrast", "63.3 %", "6.5", f"{FEAR.key}, 47 to 36 %"),
        ("roll", "64.1 %", "5.8", f"{DISGUST.key}, 46 to 33 %"),
        ("box scale", "64.1 %", "5.8", f"{NEUTRAL.key}, 69 to 52 %"),
        ("brightness", "65.2 %", "4.7", f"{FEAR.key}, 47 to 40 %"),
        ("gamma", "67.5 %", "2.4", f"{FEAR.key}, 47 to 42 %"),
        ("box shift", "68.8 %", "1.1", f"{FEAR.key}, 47 to 43 %"),
    ),
    "mien stress MODEL --data fer2013.csv",
)

_KNOWN = {
    _SMALL: (_OTHER_FACES, *_GROUPS, _SMALL_CONFUSIONS),
    _SMALL_INT8: (
        _private_test(
            ("with the mirror image", "71.2 % (69.6 to 72.7)", "69.7 %"),
            ("without it", "70.9 %", ""),
        ),
        _SMALL_INT8_STRESS,
        _OTHER_FACES,
        *_GROUPS,
        _SMALL_CONFUSIONS,
    ),
    _TINY: (
        _private_test(("with the mirror image", "70.4 % (69.0 to 71.9)", "69.3 %")),
        _OTHER_FACES,
        *_GROUPS,
        _confusions(
            (
                (ANGRY, 467, 66),
                (DISGUST, 56, 39),
                (FEAR, 496, 44),
                (HAPPY, 895, 90),
                (SAD, 653, 59),
                (SURPRISE, 415, 80),
                (NEUTRAL, 607, 69),
            ),
            (
                (DISGUST, ANGRY, 43),
                (FEAR, SAD, 21),
                (SAD, NEUTRAL, 17),
                (NEUTRAL, SAD, 14),
                (FEAR, NEUTRAL, 13),
                (FEAR, ANGRY, 13),
                (ANGRY, NEUTRAL, 12),
                (SAD, ANGRY, 11),
            ),
        ),
    ),
    _LARGE: (
        _private_test(("with the mirror image", "71.5 % (70.1 to 73.0)", "70.2 %")),
        _OTHER_FACES,
        *_GROUPS,
        _confusions(
            (
                (ANGRY, 467, 67),
                (DISGUST, 56, 50),
                (FEAR, 496, 48),
                (HAPPY, 895, 89),
                (SAD, 653, 61),
                (SURPRISE, 415, 82),
                (NEUTRAL, 607, 69),
            ),
            (
                (DISGUST, ANGRY, 38),
                (FEAR, SAD, 20),
                (SAD, NEUTRAL, 16),
                (FEAR, ANGRY, 13),
                (NEUTRAL, SAD, 12),
                (FEAR, NEUTRAL, 11),
                (ANGRY, NEUTRAL, 10),
                (SAD, ANGRY, 10),
            ),
        ),
    ),
    _FERPLUS: (
        Evidence(
            "unseen faces",
            "fer2013.csv test (PrivateTest), 3,153 faces with a majority of FER+'s annotators",
            "Nothing was chosen on these faces, and no training has seen them.",
            ("", "agrees with the majority (95 % interval)"),
            (("with the mirror image", "88.2 % (87.1 to 89.3)"),),
            "mien evaluate MODEL --data fer2013.csv --ferplus fer2013new.csv --split test; "
            + _OUTSIDE,
            commit=_COMMIT,
        ),
        _confusions(
            (
                (ANGRY, 287, 84),
                (DISGUST, 24, 46),
                (FEAR, 62, 66),
                (HAPPY, 865, 96),
                (SAD, 351, 77),
                (SURPRISE, 415, 92),
                (NEUTRAL, 1182, 88),
                (CONTEMPT, 13, 38),
            ),
            (
                (CONTEMPT, NEUTRAL, 54),
                (FEAR, SURPRISE, 23),
                (SAD, NEUTRAL, 18),
                (DISGUST, ANGRY, 17),
                (DISGUST, SAD, 17),
                (DISGUST, NEUTRAL, 12),
            ),
            ferplus=True,
        ),
    ),
}
