"""The sections of the report, each from artifacts to what its template shows."""
