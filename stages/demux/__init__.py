"""Take the tracks out of a media file."""
