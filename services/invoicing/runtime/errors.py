"""The base of failures that an operator can do something about."""


class OperatorError(Exception):
    """A failure that is no bug. Its message says, in a sentence, what to do."""
