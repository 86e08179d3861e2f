# The wrapper `reel` for PowerShell: makes the core environment on first use or when its lock has changed, then runs
# the command line in it.
$ErrorActionPreference = 'Stop'
$core = Join-Path $PSScriptRoot '.venvs/core'
$lock = Join-Path $PSScriptRoot 'config/environments/core.lock'
$marker = Join-Path $core 'reel-core.lock'
$windows = $env:OS -eq 'Windows_NT'
$program = if ($windows) { Join-Path $core 'Scripts/python.exe' } else { Join-Path $core 'bin/python' }
# The variables of this session are those of other programs too: what is changed here is put back at the end.
$before = @{}
foreach ($name in @('PYTHONHOME', 'PYTHONSTARTUP', 'PYTHONINSPECT', 'PYTHONPLATLIBDIR', 'PYTHONDONTWRITEBYTECODE', 'PYTHONPATH',
        'PYDANTIC_DISABLE_PLUGINS')) {
    $before[$name] = [Environment]::GetEnvironmentVariable($name)
    Remove-Item "Env:$name" -ErrorAction SilentlyContinue
}

try {
    $env:PYTHONPATH = $PSScriptRoot
    # Looking for plugins of pydantic would take longer than the rest of a start. UTF-8 whatever the code page is.
    $env:PYDANTIC_DISABLE_PLUGINS = '1'
    $built = (Test-Path $marker) -and (Test-Path $program)
    if ($built) {
        $built = (Get-FileHash $marker).Hash -eq (Get-FileHash $lock).Hash
    }
    if (-not $built) {
        $question = 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
        $found = $null
        $version = @()
        $candidates = @(@($env:REEL_PYTHON), @('python3'), @('python'), @('py', '-3.13'), @('py', '-3.12'), @('py', '-3.11'))
        foreach ($candidate in $candidates) {
            $python = $candidate[0]
            $version = @($candidate | Select-Object -Skip 1)
            if ($python -and (Get-Command $python -ErrorAction SilentlyContinue)) {
                try {
                    & $python @version -I -c $question 2>$null | Out-Null
                } catch {
                    continue # the stub of the Microsoft Store is a `python` too, and only complains
                }
                if ($LASTEXITCODE -eq 0) {
                    $found = $python
                    break
                }
            }
        }
        if (-not $found) {
            [Console]::Error.WriteLine('error: no Python 3.11, 3.12 or 3.13 was found on the PATH [python.missing]')
            [Console]::Error.WriteLine('')
            [Console]::Error.WriteLine('hint: install one (`winget install Python.Python.3.13`), or set $env:REEL_PYTHON to where it is')
            exit 5
        }
        if ($windows) {
            [Console]::Error.WriteLine('note: reel on native Windows is experimental and was never run there; WSL is the tested way')
        }
        & $found @version -s -P -X utf8 -m pipeline.environments.bootstrap_core $PSScriptRoot
        if ($LASTEXITCODE -ne 0) {
            exit $LASTEXITCODE
        }
    }
    # PowerShell makes a list of `pt,en`, and Windows PowerShell ends a quoted word at `\"`: both are put right.
    $words = @(foreach ($word in $args) {
            if ($word -is [array]) { $word -join ',' }
            elseif ($word -match '\s') { $word -replace '\\+$', '' }
            else { $word }
        })
    & $program -P -X utf8 -m pipeline @words
    exit $LASTEXITCODE
} finally {
    foreach ($name in $before.Keys) {
        [Environment]::SetEnvironmentVariable($name, $before[$name])
    }
}
