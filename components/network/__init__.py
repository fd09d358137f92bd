"""The network: its layers, the model built of them, and the SavedModel it is exported to."""
