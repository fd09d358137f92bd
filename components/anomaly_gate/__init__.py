"""AnomalyGate: stops a run whose data does not fit the schema."""
