"""Pusher: publishes a version whole or not at all."""
