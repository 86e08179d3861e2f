"""Run ffmpeg: probe files and decode frames."""
