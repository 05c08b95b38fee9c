# bash completion for tsdocker; written by: tsdocker completion bash
_tsdocker() {
  local cur=${COMP_LINE:0:COMP_POINT} prev=${COMP_WORDS[COMP_CWORD-1]} command= flags= words= names= i
  # A word with colons is several words to bash.
  cur=${cur##*[[:space:]]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -H|--host) ((i++)) ;;
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command,$prev in
    apply,-o|apply,--output) words="table json" ;;
    plan,-o|plan,--output) words="table json yaml" ;;
    diff,-o|diff,--output) words="table json yaml" ;;
    history,--diff) names=generations ;;
    history,-o|history,--output) words="table json yaml" ;;
    rollback,--to) names=generations ;;
    validate,-o|validate,--output) words="table json yaml" ;;
    get,-o|get,--output) words="table wide json yaml name" ;;
    describe,-o|describe,--output) words="table json yaml" ;;
    why,-o|why,--output) words="table json yaml" ;;
    events,-o|events,--output) words="table json" ;;
    images,-o|images,--output) words="table wide json yaml name" ;;
    changes,-o|changes,--output) words="text json yaml" ;;
    build,--network) words="default none host" ;;
    build,-o|build,--output) words="json" ;;
    image,-o|image,--output) words="table json yaml" ;;
    tags,-o|tags,--output) words="text json yaml" ;;
    search,-o|search,--output) words="table json yaml" ;;
    save,--format) words="docker oci oci-layout" ;;
    system,-o|system,--output) words="table json yaml" ;;
    info,-o|info,--output) words="table json yaml" ;;
    doctor,-o|doctor,--output) words="table json yaml" ;;
    version,-o|version,--output) words="table json yaml" ;;
    completion,--candidates) words="container containers resources images approvals generations lists" ;;
  esac
  if [[ -z $words$names && $cur != -* ]]; then
    case $prev in -f|--file|--base-dir|--timeout|--settle|-o|--output|-H|--host|--diff|-n|--limit|--to|--since|--tail|--until|-e|--env|-w|--workdir|-u|--user|--detach-keys|-t|--for|--wait|-s|--signal|-c|--change|-m|--message|-a|--author|--tag|--target|--build-arg|--build-context|--label|--secret|--platform|--network|--username|-i|--input|--format|--root|--run-dir|-g|--graph|--tmpdir|--manifests|-G|--group|-p|--pidfile|--default-bridge|-b|--bridge|--bip|--fixed-cidr|--mtu|--ip|--dns|--dns-search|--storage-driver|--storage-opt|--registry-mirror|--insecure-registry|--trust-key|--trust-policy|--gc-interval|--gc-high|--gc-low|--gc-min-age|--image-budget|--log-budget|--keep-generations|--exec-driver|-l|--log-level|--metrics|--web|--config|--candidates) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
  fi
  [[ $words$names ]] || case $command in
    "") words="apply plan diff delete history rollback approve validate convert schema get describe why events images logs exec attach stop start restart kill wait changes commit export build pull push tag rmi image tags search login logout load save import system daemon info doctor version host-shutdown completion"; flags="-H --host -v --version -h --help" ;;
    apply) flags="-f --file --base-dir --wait --timeout --settle --dry-run --refresh --no-cache -o --output -H --host"; words=""; names= ;;
    plan) flags="-f --file --base-dir -o --output -H --host"; words=""; names= ;;
    diff) flags="-f --file --base-dir -o --output -H --host"; words=""; names= ;;
    delete) flags="-f --file --base-dir --all --wait -H --host"; words=""; names=resources ;;
    history) flags="--diff -n --limit -o --output -H --host"; words=""; names= ;;
    rollback) flags="--to --hold --wait --timeout --settle --dry-run -H --host"; words=""; names= ;;
    approve) flags="-y --yes -H --host"; words=""; names=approvals ;;
    validate) flags="-f --file --base-dir -o --output"; words=""; names= ;;
    convert) flags="-f --file --base-dir -o --output"; words=""; names= ;;
    schema) flags=""; words=""; names= ;;
    get) flags="-w --watch -o --output -H --host"; words=""; names=lists ;;
    describe) flags="-o --output -H --host"; words=""; names=resources ;;
    why) flags="-o --output -H --host"; words=""; names=resources ;;
    events) flags="-f --follow --since -o --output -H --host"; words=""; names= ;;
    images) flags="--tree -o --output -H --host"; words=""; names= ;;
    logs) flags="-f --follow -n --tail --since --until -t --timestamps --raw -H --host"; words=""; names=containers ;;
    exec) flags="-i --interactive -t --tty -e --env -w --workdir -u --user -H --host"; words=""; names=container ;;
    attach) flags="--no-stdin --no-sig-proxy --detach-keys -H --host"; words=""; names=container ;;
    stop) flags="-t --timeout --for -H --host"; words=""; names=containers ;;
    start) flags="--wait --settle -H --host"; words=""; names=containers ;;
    restart) flags="-t --timeout --wait --settle -H --host"; words=""; names=containers ;;
    kill) flags="-s --signal -H --host"; words=""; names=containers ;;
    wait) flags="-H --host"; words=""; names=containers ;;
    changes) flags="-o --output -H --host"; words=""; names=container ;;
    commit) flags="-c --change -m --message -a --author -H --host"; words=""; names=container ;;
    export) flags="-o --output -H --host"; words=""; names=container ;;
    build) flags="-t --tag -f --file --target --build-arg --build-context --label --secret --platform --network --no-cache -q --quiet -o --output -H --host"; words=""; names= ;;
    pull) flags="--platform -H --host"; words=""; names= ;;
    push) flags="-H --host"; words=""; names=images ;;
    tag) flags="-f --force -H --host"; words=""; names=images ;;
    rmi) flags="-f --force -H --host"; words=""; names=images ;;
    image) flags="-o --output -H --host"; words="history"; names=images ;;
    tags) flags="-o --output -H --host"; words=""; names= ;;
    search) flags="-o --output -H --host"; words=""; names= ;;
    login) flags="-u --username --password-stdin -H --host"; words=""; names= ;;
    logout) flags="-H --host"; words=""; names= ;;
    load) flags="-i --input -H --host"; words=""; names= ;;
    save) flags="-o --output --format -H --host"; words=""; names=images ;;
    import) flags="-c --change -m --message -H --host"; words=""; names= ;;
    system) flags="-a --all --volumes --dry-run -y --yes --root --run-dir -f --force -o --output -H --host"; words="df prune reset"; names= ;;
    daemon) flags="--root -g --graph --run-dir --tmpdir --manifests -H --host -G --group -p --pidfile --default-bridge -b --bridge --bip --fixed-cidr --mtu --icc --ip-masq --iptables --ip-forward --ip --dns --dns-search -s --storage-driver --storage-opt --registry-mirror --insecure-registry --trust-key --trust-policy --gc-interval --gc-high --gc-low --gc-min-age --image-budget --log-budget --keep-generations -e --exec-driver --label -D --debug -l --log-level --metrics --web --remote-http -r --restart --selinux-enabled --stop-containers --config"; words=""; names= ;;
    info) flags="-o --output -H --host"; words=""; names= ;;
    doctor) flags="-o --output -H --host"; words=""; names= ;;
    version) flags="-o --output -H --host"; words=""; names= ;;
    host-shutdown) flags="--now -H --host"; words=""; names= ;;
    completion) flags="--candidates -H --host"; words="bash zsh fish"; names= ;;
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags -h --help" -- "$cur"))
  else
    [[ $names ]] && words="$words $(tsdocker completion bash --candidates "$names" 2>/dev/null)"
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
  fi
}
complete -o filenames -o bashdefault -F _tsdocker tsdocker
