"""Transform: turns text into token ids."""
