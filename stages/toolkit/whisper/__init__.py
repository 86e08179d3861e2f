"""Run Whisper models under CTranslate2."""
