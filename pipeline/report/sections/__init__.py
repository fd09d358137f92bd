"""The sections of the page: each module describes one section, and the template of the same name shows it."""
