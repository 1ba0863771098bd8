"""What a model is for, what is forbidden, and what must be told: the words of cards and signs.

The law is Regulation (EU) 2024/1689, the AI Act. Dates are those from which its articles apply,
ISO 8601. This is no legal advice, and says so wherever it is shown.
"""

INTENDED = (
    "Research on facial expressions, with people who agreed to it.",
    "Searching and sorting one's own photos and videos.",
    "Teaching, and comparing networks on labelled faces.",
    "Interfaces that react to a visible smile or frown, where the person knows it and can switch "
    "it off.",
)
"""Uses that it was made for."""

OUT_OF_SCOPE = (
    "Saying what a person feels, intends or is: an expression is a movement of the face.",
    "Decisions about people: jobs, credit, insurance, guilt, care.",
    "Faces unlike those that it was measured on, before it has been measured on them.",
)
"""Uses that it must not be put to, whatever the law of the place."""

LAW = "Regulation (EU) 2024/1689 (AI Act)"
"""What the articles below are of."""

ARTICLES = (
    (
        "Article 5(1)(f)",
        "2025-02-02",
        "forbidden: inferring emotions of people at work and in education, except for medical or "
        "safety reasons",
    ),
    (
        "Article 50(3)",
        "2026-08-02",
        "people who are exposed to emotion recognition must be told; mien notice prints a sign",
    ),
    (
        "Annex III, point 1(c)",
        "2027-12-02",
        "emotion recognition is a high-risk use: duties of providers and deployers",
    ),
)
"""(article, date from which it applies, what it says)."""

NO_ADVICE = "This is no legal advice. Pictures of faces are personal data; other laws apply, too."
"""Said wherever the law is."""
