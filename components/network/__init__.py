"""The network: its layers, the Keras model, and the exported SavedModel."""
