"""Classes by the names that the second document gives them: thin, over the gate itself."""
