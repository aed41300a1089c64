# Completion in PowerShell, with the jobs that there are when the tabulator key is pressed.
Register-ArgumentCompleter -Native -CommandName bgctl, bg -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # The words are taken as they are written; nothing of the line is executed.
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    $words += $wordToComplete
    $before = $env:BGCTL_COMPLETE
    try {
        $env:BGCTL_COMPLETE = 'powershell'
        & bgctl ($words.Count - 1) @words 2>$null | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    } finally {
        $env:BGCTL_COMPLETE = $before
    }
}
