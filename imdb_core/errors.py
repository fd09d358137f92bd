"""Errors that the user can correct.

Every message states what was given, what was expected and what to do. The command line prints only the message,
without a traceback, and exits with 1; for a SettingsError it exits with 2, as for any other usage error.
"""


class ReviewPipelineError(Exception):
    """Base of all errors of this project that the user can correct."""

    exit_code = 1


class SettingsError(ReviewPipelineError):
    """A setting is unknown, has the wrong type, or contradicts another one."""

    exit_code = 2


class SourceError(ReviewPipelineError):
    """A data source cannot be found, read or downloaded."""


class BadDataError(ReviewPipelineError):
    """Too many rows are unusable, or the data violates the schema."""


class DeviceError(ReviewPipelineError):
    """The requested training device does not exist."""


class RunError(ReviewPipelineError):
    """A node of a run failed."""
