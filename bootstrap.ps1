# Sets this machine up: the core environment, then all that `./reel.ps1 setup` does; every flag goes there.
# The flags are those of bootstrap.sh, and may be written as PowerShell has them: -CacheModels, -SkipCache, -Profile.
$ErrorActionPreference = 'Stop'
$usage = @'
usage: ./bootstrap.ps1 [--cache-models | --skip-cache] [--profile NAME] [--languages LANGUAGES]
                       [--accept-code MODELS]
  --cache-models  fetch the profile's models too
  --skip-cache    do not; without either, you are asked at a terminal, and nothing is fetched elsewhere
  --profile       the profile to set up; without it, the one that suits this machine
  --languages     also the models for these spoken languages: en,hi
  --accept-code   models whose own Python code a script may use without a question: 'indictrans2-*'
'@
$ours = @{ '-CacheModels' = '--cache-models'; '-SkipCache' = '--skip-cache'; '-Profile' = '--profile'; '-Languages' = '--languages' }
$flags = @()
foreach ($word in $args) {
    if ($word -eq '-h' -or $word -eq '--help') {
        Write-Output $usage
        exit 0
    }
    if ($word -is [array]) { $word = $word -join ',' } # PowerShell makes a list of `en,hi`
    if ($ours.ContainsKey("$word")) { $flags += $ours["$word"] } else { $flags += $word }
}
& (Join-Path $PSScriptRoot 'reel.ps1') setup @flags
exit $LASTEXITCODE
