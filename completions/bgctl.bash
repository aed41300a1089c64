# Completion in bash, with the jobs that there are when the tabulator key is pressed.
_bgctl() {
  local IFS=$' \t\n' current=${2-} line=${COMP_LINE-} place word prefix
  local -a words=()
  # bash splits at = and : too; what stands together on the line is one word.
  for ((place = 0; place <= COMP_CWORD; place++)); do
    word=${COMP_WORDS[place]}
    if ((place == COMP_CWORD)) && ! [[ -z $current && $word == [=:] ]]; then
      word=$current
    fi
    if ((place == 0)) || [[ -z $line || $line == [[:space:]]* ]]; then
      words+=("$word")
    else
      words[${#words[@]}-1]+=$word
    fi
    line=${line#*"${COMP_WORDS[place]}"}
  done
  prefix=${words[${#words[@]}-1]}
  prefix=${prefix%"$current"}

  # After -- comes a command with a completion of its own.
  for ((place = 2; place < COMP_CWORD; place++)); do
    if [[ ${COMP_WORDS[1]} == start && ${COMP_WORDS[place]} == -- ]]; then
      if declare -F _command_offset >/dev/null; then
        _command_offset $((place + 1))
      elif ((place + 1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
      fi
      return
    fi
  done

  mapfile -t COMPREPLY < <(BGCTL_COMPLETE=bash command bgctl $((${#words[@]} - 1)) "${words[@]}" 2>/dev/null)
  COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/,:] ]]; then
    compopt -o nospace 2>/dev/null
  fi
  return 0
}
complete -o bashdefault -o default -o nosort -F _bgctl bgctl
