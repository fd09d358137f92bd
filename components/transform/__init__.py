"""Transform: turns the texts of reviews into token ids."""
