"""Old objects take over what the new ones are, with a way back."""
