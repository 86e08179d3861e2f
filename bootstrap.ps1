# Sets up what the profile needs: the core environment, the stages' environments, and the models if that is wanted.
# The flags are those of bootstrap.sh, and may be written as PowerShell has them: -CacheModels, -SkipCache, -Profile.
$ErrorActionPreference = 'Stop'
$usage = @'
usage: ./bootstrap.ps1 [--cache-models | --skip-cache] [--profile NAME]
  --cache-models  fetch the profile's models too
  --skip-cache    do not; without either, you are asked at a terminal, and nothing is fetched elsewhere
'@
$reel = Join-Path $PSScriptRoot 'reel.ps1'
$models = 'ask'
for ($at = 0; $at -lt $args.Count; $at++) {
    switch -Regex ($args[$at]) {
        '^(--cache-models|-CacheModels)$' { $models = 'yes' }
        '^(--skip-cache|-SkipCache)$' { $models = 'no' }
        '^(--profile|-Profile)$' {
            $at++
            if ($at -ge $args.Count) {
                [Console]::Error.WriteLine($usage)
                exit 2
            }
            $env:REEL_PROFILE = $args[$at]
        }
        '^(-h|--help)$' {
            Write-Output $usage
            exit 0
        }
        default {
            [Console]::Error.WriteLine($usage)
            exit 2
        }
    }
}
& $reel envs ensure
if ($LASTEXITCODE -ne 0) {
    exit $LASTEXITCODE
}
& $reel doctor --remember | Out-Null
switch ($models) {
    'yes' { & $reel models fetch }
    'ask' { & $reel models fetch --ask }
}
exit $LASTEXITCODE
