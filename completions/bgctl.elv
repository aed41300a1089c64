# Completion in elvish, with the jobs that there are when the tabulator key is pressed.
use str
fn bgctl-complete {|@words|
  try {
    e:env BGCTL_COMPLETE=elvish bgctl (to-string (- (count $words) 1)) $@words 2>/dev/null | from-lines | each {|line|
      var value help @_ = (str:split "\t" $line"\t")
      var suffix = (if (str:has-suffix $value '/') { put '' } else { put ' ' })
      var display = (if (eq $help '') { put $value } else { put $value'  '$help })
      edit:complex-candidate $value &code-suffix=$suffix &display=$display
    }
  } catch { }
}
set edit:completion:arg-completer[bgctl] = $bgctl-complete~
set edit:completion:arg-completer[bg] = $bgctl-complete~
