# bash completion for tsdocker; written by: tsdocker completion bash
_tsdocker() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= flags= words= containers= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -H|--host) ((i++)) ;;
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  if [[ $prev == -o || $prev == --output ]]; then
    COMPREPLY=($(compgen -W "table wide json name" -- "$cur")); return
  fi
  if [[ $cur != -* ]]; then
    case $prev in -f|--file|--base-dir|--timeout|--settle|-o|--output|-H|--host|--diff|-n|--limit|--to|--since|--tail|--until|-e|--env|-w|--workdir|-u|--user|--detach-keys|-t|--for|--wait|-s|--signal|-c|--change|-m|--message|-a|--author|--tag|--target|--build-arg|--build-context|--label|--secret|--platform|--network|--username|-i|--input|--format|--root|--run-dir|--manifests|-G|--group|-p|--pidfile|--default-bridge|-b|--bridge|--bip|--fixed-cidr|--mtu|--ip|--dns|--dns-search|--storage-driver|--storage-opt|--registry-mirror|--insecure-registry|--trust-policy|--gc-interval|--gc-high|--gc-low|--gc-min-age|--image-budget|--log-budget|--keep-generations|--exec-driver|-l|--log-level|--metrics|--web|--config) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
  fi
  case $command in
    "") words="apply plan diff delete history rollback approve validate convert schema get describe why events images logs exec attach stop start restart kill wait changes commit export build pull push tag rmi image tags search login logout load save import system daemon info doctor version host-shutdown completion"; flags="-H --host -v --version -h --help" ;;
    apply) flags="-f --file --base-dir --wait --timeout --settle --dry-run --refresh --no-cache -o --output -H --host"; words="" ;;
    plan) flags="-f --file --base-dir -o --output -H --host"; words="" ;;
    diff) flags="-f --file --base-dir -o --output -H --host"; words="" ;;
    delete) flags="-f --file --base-dir --all --wait -H --host"; words="" ;;
    history) flags="--diff -n --limit -o --output -H --host"; words="" ;;
    rollback) flags="--to --hold --wait --timeout --settle --dry-run -H --host"; words="" ;;
    approve) flags="-y --yes -H --host"; words="" ;;
    validate) flags="-f --file --base-dir -o --output"; words="" ;;
    convert) flags="-f --file --base-dir -o --output"; words="" ;;
    schema) flags=""; words="" ;;
    get) flags="-w --watch -o --output -H --host"; words="containers images volumes networks manifests" ;;
    describe) flags="-o --output -H --host"; words="" ;;
    why) flags="-o --output -H --host"; words="" ;;
    events) flags="-f --follow --since -o --output -H --host"; words="" ;;
    images) flags="--tree -o --output -H --host"; words="" ;;
    logs) flags="-f --follow -n --tail --since --until -t --timestamps --raw -H --host"; words=""; containers=1 ;;
    exec) flags="-i --interactive -t --tty -e --env -w --workdir -u --user -H --host"; words=""; containers=1 ;;
    attach) flags="--no-stdin --no-sig-proxy --detach-keys -H --host"; words=""; containers=1 ;;
    stop) flags="-t --timeout --for -H --host"; words=""; containers=1 ;;
    start) flags="--wait --settle -H --host"; words=""; containers=1 ;;
    restart) flags="-t --timeout --wait --settle -H --host"; words=""; containers=1 ;;
    kill) flags="-s --signal -H --host"; words=""; containers=1 ;;
    wait) flags="-H --host"; words=""; containers=1 ;;
    changes) flags="-o --output -H --host"; words=""; containers=1 ;;
    commit) flags="-c --change -m --message -a --author -H --host"; words=""; containers=1 ;;
    export) flags="-o --output -H --host"; words=""; containers=1 ;;
    build) flags="-t --tag -f --file --target --build-arg --build-context --label --secret --platform --network --no-cache -q --quiet -o --output -H --host"; words="" ;;
    pull) flags="--platform -H --host"; words="" ;;
    push) flags="-H --host"; words="" ;;
    tag) flags="-f --force -H --host"; words="" ;;
    rmi) flags="-f --force -H --host"; words="" ;;
    image) flags="-o --output -H --host"; words="history" ;;
    tags) flags="-o --output -H --host"; words="" ;;
    search) flags="-o --output -H --host"; words="" ;;
    login) flags="-u --username --password-stdin -H --host"; words="" ;;
    logout) flags="-H --host"; words="" ;;
    load) flags="-i --input -H --host"; words="" ;;
    save) flags="-o --output --format -H --host"; words="" ;;
    import) flags="-c --change -m --message -H --host"; words="" ;;
    system) flags="-a --all --volumes --dry-run -y --yes -f --force -o --output -H --host"; words="df prune" ;;
    daemon) flags="--root --run-dir --manifests -H --host -G --group -p --pidfile --default-bridge -b --bridge --bip --fixed-cidr --mtu --icc --ip-masq --iptables --ip-forward --ip --dns --dns-search -s --storage-driver --storage-opt --registry-mirror --insecure-registry --trust-policy --gc-interval --gc-high --gc-low --gc-min-age --image-budget --log-budget --keep-generations -e --exec-driver --label -D --debug -l --log-level --metrics --web --remote-http --stop-containers --config"; words="" ;;
    info) flags="-o --output -H --host"; words="" ;;
    doctor) flags="-o --output -H --host"; words="" ;;
    version) flags="-o --output -H --host"; words="" ;;
    host-shutdown) flags="--now -H --host"; words="" ;;
    completion) flags=""; words="bash zsh fish" ;;
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags -h --help" -- "$cur"))
  else
    [[ $containers ]] && words="$(tsdocker get containers -o name 2>/dev/null)"
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o filenames -o bashdefault -F _tsdocker tsdocker
