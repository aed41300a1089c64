# Completion in fish, with the jobs that there are when the tabulator key is pressed.
function __bgctl_complete
    set --local words (commandline --current-process --tokenize --cut-at-cursor)
    set --local current (commandline --current-token --cut-at-cursor)
    if test (count $words) -gt 2; and test "$words[2]" = start
        if set --local place (contains --index -- -- $words)
            # After -- comes a command with a completion of its own.
            set --local rest
            if test $place -lt (count $words)
                set rest (string escape -- $words[(math $place + 1)..-1])
            end
            complete --do-complete (string join ' ' -- $rest $current)
            return
        end
    end
    BGCTL_COMPLETE=fish command bgctl (count $words) $words "$current" 2>/dev/null
end
complete --command bgctl --keep-order --exclusive --arguments '(__bgctl_complete)'
