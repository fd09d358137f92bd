"""The error of releases."""

from imdb_core.errors import ReviewPipelineError


class ReleaseError(ReviewPipelineError):
    """A version cannot be released, verified or removed as requested."""
