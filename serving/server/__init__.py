"""The embedded server: TensorFlow Serving's gRPC and REST API on any SavedModel."""
