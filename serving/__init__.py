"""Serving: a server that speaks TensorFlow Serving's protocol, a client, and releases of pushed versions."""
