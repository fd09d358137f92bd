"""LastBlessedChampion: finds the model that the winner has to beat."""
