"""What the tests of the domain share."""

from hypothesis import settings

# How long an example takes says more about the machine's other work than about the domain.
settings.register_profile("domain", deadline=None)
settings.load_profile("domain")
