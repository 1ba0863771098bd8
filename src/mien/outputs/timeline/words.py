"""The sentences on a timeline for people who do not know mien."""

MEANING = (
    "This page shows what faces expressed outwardly, as a network classified it frame by frame. An "
    "expression is a movement of the face: it does not tell what anyone felt, meant or is."
)
"""What the page is about, and what it is not."""
READING = (
    "Each chart stacks the probabilities of all expressions, smoothed over time, to 100 %: the "
    "higher an area, the more confident the network. The band below it says which expression is "
    "shown, from its onset to its end; a hole means that the face was away or not found. Pictures "
    "are taken where an expression peaks."
)
"""How to read it."""
UNCERTAIN_BELOW = (
    "A face is called uncertain where no expression is as probable as {:g} %; the tables then "
    "give the probability of the most probable one."
)
"""With a minimal confidence, in per cent: when a face is called uncertain."""
ZOOMED = "Charts of faces that were there for a small part of the video show that part only."
"""Where a track has a chart of its own time."""
COARSE = (
    "Where segments are too many to draw, the band shows what was shown for most of the time; the "
    "longest ones are in the table."
)
"""Where a band cannot show every segment."""
