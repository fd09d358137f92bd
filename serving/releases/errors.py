"""The errors of releases."""

from imdb_core.errors import ReviewPipelineError


class ReleaseError(ReviewPipelineError):
    """A version cannot be released, checked or removed as asked."""
