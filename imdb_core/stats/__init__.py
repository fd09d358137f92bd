"""Statistics: intervals, paired comparisons, and comparisons over seeds."""
