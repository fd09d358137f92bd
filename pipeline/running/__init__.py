"""Running a pipeline: progress, the console, and the record of the outcome."""
