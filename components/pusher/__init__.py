"""Pusher: publishes a version completely or not at all."""
