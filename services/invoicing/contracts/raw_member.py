"""JSON objects whose last member is an object that is kept as text, unparsed.

An invoice's document is most of the bytes of its events and of its stored state, and most commands
never look at it: parsing it would cost more than deciding them. So it is always the last member,
and it is split off as text here, and nowhere else.
"""


def split_first(json_object: str, name: str) -> tuple[str, str]:
    """The object without its last member, and that member; an empty text if it is missing.

    The member starts at the first key of this name with an object as its value: quotes inside JSON
    strings are escaped, so the text of a key occurs nowhere else. No member before it may have such
    a key inside.
    """
    rest, _, member = json_object.partition(f',"{name}":{{')
    return _object(rest, member)


def split_last(json_object: str, name: str) -> tuple[str, str]:
    """As `split_first`, from the last such key: the member itself must have none inside.

    For objects with keys that clients choose before the member, such as payment ids.
    """
    rest, _, member = json_object.rpartition(f',"{name}":{{')
    return _object(rest, member)


def _object(rest: str, member: str) -> tuple[str, str]:
    return rest + "}", "{" + member[:-1] if member else ""
