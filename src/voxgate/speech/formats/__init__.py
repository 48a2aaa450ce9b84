"""Audio formats: each an encoder that is fed sound and gives bytes; found through their registry."""
