"""Library mode: films stay in place, existing subtitles are found, and reel's files go beside the films."""
