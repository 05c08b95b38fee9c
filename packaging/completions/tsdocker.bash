# bash completion for tsdocker; written by: tsdocker completion bash
_tsdocker() {
  local line cur prev command= host= flags= words= names= files= i
  # By blanks alone: a word with colons is several words to bash.
  read -ra line <<< "${COMP_LINE:0:COMP_POINT}."
  cur=${line[-1]%.} prev=${line[-2]}
  for ((i = 1; i < ${#line[@]} - 1; i++)); do
    case ${line[i]} in
      -H|--host) host=${line[++i]} ;;
      -*) ;;
      *) command=${line[i]}; break ;;
    esac
  done
  case $command,$prev in
    ,-H|,--host) files=1 ;;
    apply,-o|apply,--output) words="table json" ;;
    apply,-f|apply,--file|apply,--base-dir|apply,--timeout|apply,--settle|apply,-H|apply,--host) files=1 ;;
    plan,-o|plan,--output) words="table json yaml" ;;
    plan,-f|plan,--file|plan,--base-dir|plan,-H|plan,--host) files=1 ;;
    diff,-o|diff,--output) words="table json yaml" ;;
    diff,-f|diff,--file|diff,--base-dir|diff,-H|diff,--host) files=1 ;;
    delete,-f|delete,--file|delete,--base-dir|delete,-H|delete,--host) files=1 ;;
    history,--diff) names=generations ;;
    history,-o|history,--output) words="table json yaml" ;;
    history,-n|history,--limit|history,-H|history,--host) files=1 ;;
    rollback,--to) names=generations ;;
    rollback,--timeout|rollback,--settle|rollback,-H|rollback,--host) files=1 ;;
    approve,-H|approve,--host) files=1 ;;
    validate,-o|validate,--output) words="table json yaml" ;;
    validate,-f|validate,--file|validate,--base-dir) files=1 ;;
    convert,-f|convert,--file|convert,--base-dir|convert,-o|convert,--output) files=1 ;;
    get,-o|get,--output) words="table wide json yaml name" ;;
    get,-H|get,--host) files=1 ;;
    describe,-o|describe,--output) words="table json yaml" ;;
    describe,-H|describe,--host) files=1 ;;
    why,-o|why,--output) words="table json yaml" ;;
    why,-H|why,--host) files=1 ;;
    events,-o|events,--output) words="table json" ;;
    events,--since|events,-H|events,--host) files=1 ;;
    images,-o|images,--output) words="table wide json yaml name" ;;
    images,-H|images,--host) files=1 ;;
    logs,-n|logs,--tail|logs,--since|logs,--until|logs,-H|logs,--host) files=1 ;;
    exec,-e|exec,--env|exec,-w|exec,--workdir|exec,-u|exec,--user|exec,-H|exec,--host) files=1 ;;
    attach,--detach-keys|attach,-H|attach,--host) files=1 ;;
    stop,-t|stop,--timeout|stop,--for|stop,-H|stop,--host) files=1 ;;
    start,--settle|start,-H|start,--host) files=1 ;;
    restart,-t|restart,--timeout|restart,--settle|restart,-H|restart,--host) files=1 ;;
    kill,-s|kill,--signal|kill,-H|kill,--host) files=1 ;;
    wait,-H|wait,--host) files=1 ;;
    changes,-o|changes,--output) words="text json yaml" ;;
    changes,-H|changes,--host) files=1 ;;
    commit,-c|commit,--change|commit,-m|commit,--message|commit,-a|commit,--author|commit,-H|commit,--host) files=1 ;;
    export,-o|export,--output|export,-H|export,--host) files=1 ;;
    build,--network) words="default none host" ;;
    build,-o|build,--output) words="json" ;;
    build,-t|build,--tag|build,-f|build,--file|build,--target|build,--build-arg|build,--build-context|build,--label|build,--secret|build,--platform|build,-H|build,--host) files=1 ;;
    pull,--platform|pull,-H|pull,--host) files=1 ;;
    push,-H|push,--host) files=1 ;;
    tag,-H|tag,--host) files=1 ;;
    rmi,-H|rmi,--host) files=1 ;;
    image,-o|image,--output) words="table json yaml" ;;
    image,-H|image,--host) files=1 ;;
    tags,-o|tags,--output) words="text json yaml" ;;
    tags,-H|tags,--host) files=1 ;;
    search,-o|search,--output) words="table json yaml" ;;
    search,-H|search,--host) files=1 ;;
    login,-u|login,--username|login,-H|login,--host) files=1 ;;
    logout,-H|logout,--host) files=1 ;;
    load,-i|load,--input|load,-H|load,--host) files=1 ;;
    save,--format) words="docker oci oci-layout" ;;
    save,-o|save,--output|save,-H|save,--host) files=1 ;;
    import,-c|import,--change|import,-m|import,--message|import,-H|import,--host) files=1 ;;
    system,-o|system,--output) words="table json yaml" ;;
    system,--root|system,--run-dir|system,-H|system,--host) files=1 ;;
    daemon,--root|daemon,-g|daemon,--graph|daemon,--run-dir|daemon,--tmpdir|daemon,--manifests|daemon,-H|daemon,--host|daemon,-G|daemon,--group|daemon,-p|daemon,--pidfile|daemon,--default-bridge|daemon,-b|daemon,--bridge|daemon,--bip|daemon,--fixed-cidr|daemon,--mtu|daemon,--ip|daemon,--dns|daemon,--dns-search|daemon,-s|daemon,--storage-driver|daemon,--storage-opt|daemon,--registry-mirror|daemon,--insecure-registry|daemon,--trust-key|daemon,--trust-policy|daemon,--gc-interval|daemon,--gc-high|daemon,--gc-low|daemon,--gc-min-age|daemon,--image-budget|daemon,--log-budget|daemon,--keep-generations|daemon,-e|daemon,--exec-driver|daemon,--label|daemon,-l|daemon,--log-level|daemon,--metrics|daemon,--web|daemon,--config) files=1 ;;
    info,-o|info,--output) words="table json yaml" ;;
    info,-H|info,--host) files=1 ;;
    doctor,-o|doctor,--output) words="table json yaml" ;;
    doctor,-H|doctor,--host) files=1 ;;
    version,-o|version,--output) words="table json yaml" ;;
    version,-H|version,--host) files=1 ;;
    host-shutdown,-H|host-shutdown,--host) files=1 ;;
    completion,--candidates) words="container containers resources images approvals generations lists" ;;
    completion,-H|completion,--host) files=1 ;;
  esac
  if [[ $files && $cur != -* ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  [[ $words$names ]] || case $command in
    "") words="apply plan diff delete history rollback approve validate convert schema get describe why events images logs exec attach stop start restart kill wait changes commit export build pull push tag rmi image tags search login logout load save import system daemon info doctor version host-shutdown completion help"; flags="-H --host -v --version -h --help" ;;
    help) words="apply plan diff delete history rollback approve validate convert schema get describe why events images logs exec attach stop start restart kill wait changes commit export build pull push tag rmi image tags search login logout load save import system daemon info doctor version host-shutdown completion" ;;
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
    info) flags="-o --output --wait -H --host"; words=""; names= ;;
    doctor) flags="-o --output -H --host"; words=""; names= ;;
    version) flags="-o --output -H --host"; words=""; names= ;;
    host-shutdown) flags="--now -H --host"; words=""; names= ;;
    completion) flags="--candidates -H --host"; words="bash zsh fish"; names= ;;
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags -h --help" -- "$cur"))
  else
    [[ $names ]] && words="$words $(tsdocker completion bash --candidates "$names" ${host:+-H "$host"} 2>/dev/null)"
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
  fi
}
complete -o filenames -o bashdefault -F _tsdocker tsdocker
