"""Errors that a person can act on.

    ReviewPipelineError
    ├── SettingsError      a setting is unknown, of the wrong type, or contradicts another
    ├── SourceError        a data source cannot be found, read or downloaded
    ├── BadDataError       too many rows cannot be used, or the data violates the schema
    ├── DeviceError        the requested device is not there
    └── RunError           a node of a run did not succeed

Every message says what was given, what was expected and what to do. The command line prints the message alone,
without a traceback, and exits with 1 (2 for SettingsError, as for any other wrong call).
"""


class ReviewPipelineError(Exception):
    """Base of all errors of this project that are the user's to mend."""

    exit_code = 1


class SettingsError(ReviewPipelineError):
    """A setting is unknown, of the wrong type, or contradicts another."""

    exit_code = 2


class SourceError(ReviewPipelineError):
    """A data source cannot be found, read or downloaded."""


class BadDataError(ReviewPipelineError):
    """Too many rows cannot be used, or the data violates the schema."""


class DeviceError(ReviewPipelineError):
    """The requested training device is not there."""


class RunError(ReviewPipelineError):
    """A node of a run did not succeed."""
