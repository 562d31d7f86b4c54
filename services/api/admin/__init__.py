"""What operators do: look, redrive, clean up, remove."""
