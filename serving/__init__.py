"""Serving: a server of TensorFlow Serving's API, its client, prediction commands, and releases of pushed versions."""
