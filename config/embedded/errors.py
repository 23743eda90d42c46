"""The one error this package raises to its callers."""


class EmbeddedServicesError(Exception):
    """The embedded services cannot be given; the message says why and what to do."""
