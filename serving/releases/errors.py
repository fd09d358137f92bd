"""The errors of releases."""

from components.errors import ReviewPipelineError


class ReleaseError(ReviewPipelineError):
    """A version cannot be released, checked or removed as asked."""
