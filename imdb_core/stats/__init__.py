"""Statistics: measures, confidence intervals, paired comparisons, and comparisons over seeds."""
