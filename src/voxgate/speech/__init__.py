"""What is said: from text to audio. Knows no HTTP, no accounts, no gate."""
