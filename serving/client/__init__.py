"""The client: sentiment and attention of reviews from any TensorFlow Serving."""
