"""voxgate: a text-to-speech service with a door, and the door as a library."""
