"""The papers of a pushed version: its model card, and the software that made it."""
