"""Media files with an address: found and fetched by yt-dlp, where the user's own command names the address."""
