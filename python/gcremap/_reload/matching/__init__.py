"""Which old object became which new one, and which values stay."""
