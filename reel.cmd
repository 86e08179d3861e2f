@rem The wrapper `reel` for cmd.exe, and for PowerShell where scripts may not run.
@powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0reel.ps1" %*
