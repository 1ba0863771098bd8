"""Tables of recognised faces -> what people showed: per person, per condition, with intervals.

The unit is a person, never a frame: frames of one person are alike, and a thousand of them say
little more about people than one does.
"""
