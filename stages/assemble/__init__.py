"""Make a transcript of existing subtitles."""
