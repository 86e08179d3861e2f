"""Choose a few stretches of speech to recognise, which tell whether a subtitle fits."""
