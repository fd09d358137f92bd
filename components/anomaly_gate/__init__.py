"""AnomalyGate: stops a run if its data does not fit the schema."""
