"""The functions of the review page: drafts of corrections, and the sound that the model heard."""
