/** The names of the daemon's settings: as flag, as TSDOCKER_ variable, and (the key itself) in the config file. */

export const LOG_LEVELS = ['panic', 'fatal', 'error', 'warn', 'warning', 'info', 'debug'] as const;

interface Setting {
  /** As an option of a command is written: `-x, --long <value>`. */
  readonly flags: string;
  /** Other flags of the same meaning, for hands that know Docker. */
  readonly alias?: string;
  /** Other variables of the same meaning; ours comes first. */
  readonly otherEnv?: string;
  /** Takes several values: the flag again and again, the variable separated by commas. */
  readonly list?: true;
  readonly env: string;
  readonly doc: string;
}

export const SETTINGS = {
  root: {
    flags: '--root <dir>',
    alias: '-g, --graph <dir>',
    env: 'TSDOCKER_ROOT',
    doc: 'state that survives reboots (default: /var/lib/tsdocker)',
  },
  runDir: {
    flags: '--run-dir <dir>',
    env: 'TSDOCKER_RUN_DIR',
    doc: 'sockets, pid and secrets of this boot (default: /run/tsdocker)',
  },
  tmpdir: {
    flags: '--tmpdir <dir>',
    env: 'TSDOCKER_TMPDIR',
    otherEnv: 'DOCKER_TMPDIR',
    doc: 'temporary files of pulls, loads and builds, on the filesystem of the root (default: tmp and downloads in the root)',
  },
  manifests: {
    flags: '--manifests <dir>',
    env: 'TSDOCKER_MANIFESTS',
    doc: 'watched directory (default: /etc/tsdocker/manifests)',
  },
  host: {
    flags: '-H, --host <address>',
    list: true,
    env: 'TSDOCKER_HOST',
    doc: 'listen on unix:///path, or fd:// for the sockets of a systemd unit; repeatable (default: tsdocker.sock in the run directory)',
  },
  group: {
    flags: '-G, --group <group>',
    env: 'TSDOCKER_GROUP',
    doc: 'group that may use the socket, which makes its members root (default: tsdocker, where it exists)',
  },
  pidfile: {
    flags: '-p, --pidfile <file>',
    env: 'TSDOCKER_PIDFILE',
    doc: 'where the pid is written, "" for nowhere (default: tsdocker.pid in the run directory)',
  },
  apiOverride: {
    flags: '--api-override <mode>',
    env: 'TSDOCKER_API_OVERRIDE',
    doc: 'whether clients of the Docker API may change limits and restart policy of what manifests declare: refuse or allow, until the manifest changes (default: refuse)',
  },
  defaultBridge: {
    flags: '--default-bridge <name>',
    env: 'TSDOCKER_DEFAULT_BRIDGE',
    doc: 'bridge that is made for containers without a network of their own (default: tsdocker0)',
  },
  bridge: {
    flags: '-b, --bridge <name>',
    env: 'TSDOCKER_BRIDGE',
    doc: 'use this existing bridge instead, or none; it is never changed. Excludes --bip',
  },
  bip: {
    flags: '--bip <cidr>',
    env: 'TSDOCKER_BIP',
    doc: 'address and subnet of the default bridge (default: a free one is chosen)',
  },
  fixedCidr: {
    flags: '--fixed-cidr <cidr>',
    env: 'TSDOCKER_FIXED_CIDR',
    doc: "give out addresses of this part of the bridge's subnet only",
  },
  defaultAddressPool: {
    flags: '--default-address-pool <base=cidr,size=length>',
    list: true,
    env: 'TSDOCKER_DEFAULT_ADDRESS_POOL',
    doc: 'where networks that name no subnet get theirs: parts of base with a prefix of this length, IPv4 or IPv6; repeatable (default: 172.17.0.0/16 to 172.31.0.0/16 whole and 192.168.0.0/16 in /20; for IPv6 a unique local /48 of this root in /64)',
  },
  ipv6: {
    flags: '--ipv6 [when]',
    env: 'TSDOCKER_IPV6',
    doc: 'new networks that do not say otherwise, the default bridge too, have IPv6: true, false, or auto for where this host has it, not switched off for new interfaces, and rules are written (default: auto)',
  },
  mtu: {
    flags: '--mtu <bytes>',
    env: 'TSDOCKER_MTU',
    doc: "MTU of container interfaces (default: the default route's, else 1500)",
  },
  icc: {
    flags: '--icc [boolean]',
    env: 'TSDOCKER_ICC',
    doc: 'containers reach each other without a link (default: true)',
  },
  ipMasq: {
    flags: '--ip-masq [boolean]',
    env: 'TSDOCKER_IP_MASQ',
    doc: 'rewrite the source of what leaves the bridge (default: true)',
  },
  iptables: {
    flags: '--iptables [boolean]',
    env: 'TSDOCKER_IPTABLES',
    doc: 'write firewall rules; false also switches off --ip-masq (default: true)',
  },
  ipForward: {
    flags: '--ip-forward [boolean]',
    env: 'TSDOCKER_IP_FORWARD',
    doc: 'switch on net.ipv4.ip_forward, for all interfaces of the host (default: true)',
  },
  ip: {
    flags: '--ip <address>',
    env: 'TSDOCKER_IP',
    doc: 'host address of published ports that name none (default: 0.0.0.0)',
  },
  hostGatewayIp: {
    flags: '--host-gateway-ip <address>',
    list: true,
    env: 'TSDOCKER_HOST_GATEWAY_IP',
    doc: 'what `host-gateway` in extraHosts stands for, one address of each family (default: those that this host has on the network of the container)',
  },
  dns: {
    flags: '--dns <address>',
    list: true,
    env: 'TSDOCKER_DNS',
    doc: "name server for containers; repeatable (default: the host's)",
  },
  dnsSearch: {
    flags: '--dns-search <domain>',
    list: true,
    env: 'TSDOCKER_DNS_SEARCH',
    doc: 'search domain for containers; repeatable',
  },
  storageDriver: {
    flags: '-s, --storage-driver <name>',
    env: 'TSDOCKER_DRIVER',
    doc: 'overlay, btrfs, aufs, vfs or devicemapper (default: that of the state on disk, else the best that works here)',
  },
  storageOpt: {
    flags: '--storage-opt <key=value>',
    list: true,
    env: 'TSDOCKER_STORAGE_OPT',
    doc: 'option of the storage driver; repeatable',
  },
  registryMirror: {
    flags: '--registry-mirror <url>',
    list: true,
    env: 'TSDOCKER_REGISTRY_MIRROR',
    doc: 'ask this registry before Docker Hub; repeatable',
  },
  insecureRegistry: {
    flags: '--insecure-registry <host or cidr>',
    list: true,
    env: 'TSDOCKER_INSECURE_REGISTRY',
    doc: 'take any certificate of this registry, and no TLS at all; repeatable (always: 127.0.0.0/8)',
  },
  trustKey: {
    flags: '--trust-key <file>',
    env: 'TSDOCKER_TRUST_KEY',
    doc: 'key that identifies this supervisor, made when it is missing (default: key.json in the root)',
  },
  trustPolicy: {
    flags: '--trust-policy <file>',
    env: 'TSDOCKER_TRUST_POLICY',
    doc: 'which images may come in, and whose signature they need (default: /etc/tsdocker/trust-policy.yaml, when it exists)',
  },
  trustBase: {
    flags: '--trust-base <url>',
    env: 'TSDOCKER_TRUST_BASE',
    doc: 'address of official.json, signed statements of who may publish under which name, asked at each pull as by Docker 1.4 (default: nowhere)',
  },
  gcInterval: {
    flags: '--gc-interval <duration>',
    env: 'TSDOCKER_GC_INTERVAL',
    doc: 'how often unused images and old logs are looked at, 0 for never (default: 5m)',
  },
  gcHigh: {
    flags: '--gc-high <percent>',
    env: 'TSDOCKER_GC_HIGH',
    doc: 'disk use from which on unused images go, least recently used first (default: 85)',
  },
  gcLow: {
    flags: '--gc-low <percent>',
    env: 'TSDOCKER_GC_LOW',
    doc: 'disk use down to which they go (default: 80)',
  },
  gcMinAge: {
    flags: '--gc-min-age <duration>',
    env: 'TSDOCKER_GC_MIN_AGE',
    doc: 'an image stays this long after it was last needed (default: 2m)',
  },
  imageBudget: {
    flags: '--image-budget <size>',
    env: 'TSDOCKER_IMAGE_BUDGET',
    doc: 'unused images go when all layers together take more than this (default: no limit)',
  },
  logBudget: {
    flags: '--log-budget <size>',
    env: 'TSDOCKER_LOG_BUDGET',
    doc: 'rotated logs go, oldest first, when all logs together take more than this (default: no limit)',
  },
  keepGenerations: {
    flags: '--keep-generations <count>',
    env: 'TSDOCKER_KEEP_GENERATIONS',
    doc: 'the images and pinned files of so many generations stay for a rollback (default: 10)',
  },
  execDriver: {
    flags: '-e, --exec-driver <name>',
    env: 'TSDOCKER_EXEC_DRIVER',
    doc: 'what runs containers (default: native)',
  },
  discardLimits: {
    flags: '--discard-limits [boolean]',
    env: 'TSDOCKER_DISCARD_LIMITS',
    doc: 'start containers without those of their limits that this kernel lacks, with a warning, as Docker does (default: false, they are not started)',
  },
  label: {
    flags: '--label <key=value>',
    list: true,
    env: 'TSDOCKER_LABEL',
    doc: 'label of this supervisor, shown by info; repeatable',
  },
  debug: { flags: '-D, --debug [boolean]', env: 'TSDOCKER_DEBUG', doc: 'log level debug (default: false)' },
  logLevel: {
    flags: '-l, --log-level <level>',
    env: 'TSDOCKER_LOG_LEVEL',
    doc: `one of ${LOG_LEVELS.join(', ')} (default: info)`,
  },
  metrics: {
    flags: '--metrics <address>',
    env: 'TSDOCKER_METRICS',
    doc: 'serve metrics for Prometheus at /metrics on 127.0.0.1:PORT, [::1]:PORT or unix:///path (default: nowhere)',
  },
  web: {
    flags: '--web <address>',
    env: 'TSDOCKER_WEB',
    doc: 'serve a read-only page about this host on 127.0.0.1:PORT, [::1]:PORT or unix:///path (default: nowhere)',
  },
  remoteHttp: {
    flags: '--remote-http [boolean]',
    env: 'TSDOCKER_REMOTE_HTTP',
    doc: 'let --metrics and --web listen on addresses that others reach, without encryption or login (default: false)',
  },
  restart: {
    flags: '-r, --restart [boolean]',
    env: 'TSDOCKER_RESTART',
    doc: 'start containers that do not run when the supervisor starts, as their restart policies say; with false they stay down until `tsdocker start` or a changed spec (default: true)',
  },
  selinuxEnabled: {
    flags: '--selinux-enabled [boolean]',
    env: 'TSDOCKER_SELINUX_ENABLED',
    doc: 'SELinux labels for containers; there are none yet, so that true is refused (default: false)',
  },
  stopContainers: {
    flags: '--stop-containers [boolean]',
    env: 'TSDOCKER_STOP_CONTAINERS',
    doc: 'stop the containers when the daemon is stopped, instead of leaving them running (default: false)',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
