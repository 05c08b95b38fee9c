import { z } from 'zod';
import { field } from '../field.ts';
import { networkMode } from '../network-mode.ts';
import { NAME_PATTERN } from '../resource.ts';
import { bandwidth } from './bandwidth-forms.ts';
import { health } from './health-forms.ts';
import { resources } from './limit-forms.ts';
import { log } from './log-forms.ts';
import { mount, reaction } from './mount-forms.ts';
import { cgroupnsMode, ipcMode, pidMode, utsMode } from './namespace-forms.ts';
import { networks, normalNetworks } from './network-membership.ts';
import { isHostName, isIP, isIPv4, parseExpose, parseExtraHost, parsePort } from './port-forms.ts';
import { restart } from './restart-forms.ts';
import { parseCapability, parseDependency, parseDependencyReaction, parseLink, parseSignal } from './runtime-forms.ts';
import {
  absolutePath,
  booleanField,
  commandLine,
  hostPath,
  kernelText,
  labels,
  listOf,
  mapOf,
  orNull,
  shortForm,
  textOrNumber,
} from './schema-parts.ts';
import { DEPENDENCY_CONDITIONS, DRIFT_POLICIES, type ExtraHost, parseBytes, parseDuration } from './short-forms.ts';
import { isReference, parseDevice, parseVolumesFrom } from './storage-forms.ts';
import { sysctls } from './sysctl-forms.ts';
import { update } from './update-forms.ts';

const extraHosts = z
  .union([z.array(shortForm(z.string(), parseExtraHost)), z.record(z.string(), z.string())], {
    error: 'expected a list of name:address, or a mapping of names to addresses',
  })
  .transform((written, context): ExtraHost[] => {
    if (Array.isArray(written)) return written;
    return Object.entries(written).map(([name, address]) => {
      const host = parseExtraHost(`${name}:${address}`);
      if (host.ok) return host.value;
      context.addIssue({ code: 'custom', message: host.message, path: [name] });
      return { name, address };
    });
  });

const isGroup = (text: string): boolean => /^[^\s:,\p{Cc}]{1,255}$/u.test(text);

/** Each published port costs rules in the kernel. */
const MAX_PORTS = 4096;

const capabilities = z
  .strictObject({
    add: listOf(shortForm(z.string(), parseCapability)),
    drop: listOf(shortForm(z.string(), parseCapability)),
  })
  .prefault({});

const NETWORK_FORM = 'expected bridge, host, none, container:NAME or the name of a network';
const network = z
  .string()
  .refine((text) => {
    const mode = networkMode(text);
    return !('name' in mode) || isReference(mode.name);
  }, NETWORK_FORM)
  .default('bridge');

const envValue = z.union([kernelText(), z.strictObject({ fromFile: hostPath() })], {
  error: 'expected text, or fromFile and a path',
});

const dependency = z.union(
  [
    shortForm(z.string(), parseDependency),
    z
      .strictObject({ container: z.string(), condition: z.enum(DEPENDENCY_CONDITIONS).default('ready') })
      .transform(({ container, condition }, context) => {
        const form = parseDependency(`${container}:${condition}`);
        if (form.ok) return form.value;
        context.addIssue({ code: 'custom', message: form.message, path: ['container'] });
        return z.NEVER;
      }),
  ],
  { error: 'expected name:condition, or a mapping with container and condition' },
);

const oneOrMany = <T extends z.ZodType>(item: T) =>
  z
    .union([item, z.array(item)], { error: 'expected a text or a list of texts' })
    .transform((written) => (Array.isArray(written) ? written : [written]))
    .prefault([]);

/** Every field a container may have, in the order of docs/manifest.md. */
export const containerFields = z.strictObject({
  image: field(z.string().regex(/^[^\s\p{Cc}]{1,512}$/u, 'expected the name of an image'), {
    doc: 'Name of an image of this app, `app/name` of another app, or a tag on this host (`nginx:1.27`).',
    example: 'nginx',
  }),
  containerName: field(orNull(z.string().regex(NAME_PATTERN, 'a name has lower-case letters, digits and hyphens')), {
    doc: 'Name in `docker ps` and across apps. Default: `<app>-<name>`.',
    example: 'blog-web',
  }),
  entrypoint: field(commandLine(), {
    doc: "The program; replaces the image's. A text is run by `/bin/sh -c`. With it, the image's command does not apply.",
    change: 'restart',
    example: ['/usr/sbin/nginx'],
    text: true,
  }),
  command: field(commandLine(), {
    doc: "Arguments of the entrypoint, or the program; replaces the image's. A text is run by `/bin/sh -c`.",
    change: 'restart',
    example: ['nginx', '-g', 'daemon off;'],
    text: true,
  }),
  args: field(listOf(kernelText()), {
    doc: "More arguments, after the command of the manifest or the image's.",
    change: 'restart',
    example: ['--verbose'],
    text: true,
  }),
  env: field(mapOf(envValue), {
    doc: 'Environment variables. `fromFile` reads the value from a file and keeps it out of the state.',
    change: 'restart',
    example: { LANG: 'C.UTF-8', PASSWORD: { fromFile: './secret' } },
    text: true,
  }),
  envFile: field(oneOrMany(hostPath()), {
    doc: 'Files of `NAME=value` lines; later files win, and `env` wins over all.',
    change: 'restart',
    example: ['./web.env'],
  }),
  workingDir: field(orNull(absolutePath()), { doc: 'Directory to start in.', change: 'restart', example: '/app' }),
  user: field(kernelText().default(''), {
    doc: '`user[:group]`, as names or numbers. Default: that of the image, else root.',
    change: 'restart',
    example: '1000:1000',
    text: true,
  }),
  groups: field(
    listOf(textOrNumber().transform(String).refine(isGroup, 'expected the name or the number of a group')),
    {
      doc: 'Supplementary groups besides those that the image gives the user, as names of the image or numbers.',
      change: 'restart',
      example: ['audio', '1001'],
    },
  ),
  hostname: field(orNull(z.string().max(64).refine(isHostName, 'expected a host name')), {
    doc: "Host name inside. Default: the first 12 digits of the container's id.",
    change: 'restart',
    example: 'web',
  }),
  domainname: field(
    z.union([z.literal(''), z.string().max(64).refine(isHostName, 'expected a domain name')]).default(''),
    {
      doc: 'Domain name inside.',
      change: 'restart',
      example: 'example.com',
    },
  ),
  labels: field(labels(), {
    doc: 'Labels: names and texts for people and tools.',
    change: 'in-place',
    example: { tier: 'front' },
    text: true,
  }),
  volumes: field(listOf(mount), {
    doc: 'Mounts: `volume:/target[:ro]`, `./file-or-dir:/target`, `/target` (anonymous), or a mapping with `type: tmpfs`, `source`, `target`, `readOnly`, `size`, `create`, `content`, `secret`. A tmpfs takes `mode` (default 1777), `owner` (`1000:1000`) and `exec: true` too; a volume with `copy: false` starts empty. `propagation` of a bind (`rslave`, `rshared`, `slave`, `shared`; default `rprivate`) says whether mounts that are made later below its source appear in the container, and, when shared, those of the container on the host. The content of a file bound read-only is part of the declaration, up to 1 MiB or with `watch: true`; `onChange` sets the reaction to a change. A copy of such a file is kept for rollbacks, except below `/run/secrets` or with `secret: true`. A bind whose source is missing is an error, unless `create: true` makes it a directory, or `create: {owner: "1000:1000", mode: "0750"}` (numbers; default 0:0 and 0755) a directory with that owner and mode; an existing path is not changed. `content` is the text of a read-only file at the target, in place of a source. An empty volume starts with the content of the image at the target.',
    example: ['pgdata:/var/lib/postgresql/data'],
  }),
  volumesFrom: field(listOf(shortForm(z.string(), parseVolumesFrom)), {
    doc: 'Containers whose volumes and binds are also mounted in this one.',
    example: ['db:ro'],
  }),
  links: field(listOf(shortForm(z.string(), parseLink)), {
    doc: 'Containers that this one connects to, `name[:alias]`. They start first and stop last; their address is in the environment and in /etc/hosts. On networks with `icc: false` they open the ports that the other one exposes or publishes, as of the start of a run. The environment of a run stays as it was at its start: when an address changes during the run, /etc/hosts is updated and the condition `StaleLinks` reports the old environment; use the name, or `onDependencyRestart: restart`.',
    change: 'restart',
    example: ['db', 'db:database'],
  }),
  dependsOn: field(listOf(dependency), {
    doc: 'Containers that this one waits for, without a link: `name` or `name:ready`, `name:started`, or `name:completed` for one that must exit with 0 first.',
    change: 'in-place',
    example: ['migrate:completed', 'cache'],
  }),
  onDependencyRestart: field(shortForm(z.string(), parseDependencyReaction).prefault('nothing'), {
    doc: 'Reaction of this container when a container that it links to or depends on has a new run: `nothing`, or once that one is ready `restart` or `signal:HUP` (any signal, for a program that then resolves names again). On a bridge an update keeps the address, `start-first` too: a proxy in front of it (nginx) needs neither.',
    change: 'in-place',
    example: 'signal:HUP',
  }),
  ports: field(
    listOf(shortForm(textOrNumber(), parsePort))
      .transform((lists) => lists.flat())
      .refine((ports) => ports.length <= MAX_PORTS, `more than ${MAX_PORTS} ports`),
    {
      doc: 'Ports published on the host: `[address:][host:]container[/tcp|/udp|/sctp]`, each a port or a range. Without a host port a free one is chosen, of those that the kernel gives to programs (`net.ipv4.ip_local_port_range`). Every port published without an address is also published on `[::]`. What the kernel cannot translate (`[::1]`, and IPv6 addresses for a container without IPv6) is relayed by a program that goes on without a supervisor; the container sees the gateway as client there.',
      change: 'in-place',
      example: ['127.0.0.1:8080:80'],
    },
  ),
  expose: field(
    listOf(shortForm(textOrNumber(), parseExpose)).transform((lists) => lists.flat()),
    { doc: 'Ports that links announce, in addition to those of the image.', change: 'restart', example: ['53/udp'] },
  ),
  network: field(network, {
    doc: 'A network of the app, `app/name`, `bridge` (the default bridge), `host`, `none`, or `container:NAME` to share the network of that container. Containers of a network find each other by DNS, at 127.0.0.11, without links and also containers started later: by the short name within the app, and everywhere by `<app>-<name>` (or `containerName`), by the first twelve digits of the id and by a `hostname` that was set; `name.network` asks one network. A name resolves while its container has an address: also while it waits for a restart, but not after it was stopped or completed.',
    example: 'back',
  }),
  networks: field(networks, {
    doc: 'Several networks, in place of `network`: a list of names (`bridge` is the default one), or a mapping of names to `aliases` (more names on that network), `ipv4` and `ipv6` (fixed addresses, in a network with a subnet), `mac`, `priority` (the highest comes first among the interfaces; else they are in the order of the names), `gatewayPriority` (the highest has the default route and the published ports, among networks that are not `internal`), `interfaceName` (default: the lowest free one of eth0, eth1, kept as long as the container is there) and `sysctls` (settings of that interface, with `IFNAME` in the place of its name: `net.ipv4.conf.IFNAME.rp_filter: 2`). Networks are attached, changed and detached while the container runs.',
    change: 'in-place',
    example: { front: { gatewayPriority: 1 }, back: { aliases: ['db'], ipv4: '10.80.0.5' } },
  }),
  address: field(orNull(z.string().refine(isIPv4, 'expected an IPv4 address')), {
    doc: 'Fixed IPv4 address; needs a network with a `subnet`.',
    change: 'in-place',
    example: '10.80.0.5',
  }),
  dns: field(oneOrMany(z.string().refine(isIP, 'expected an IP address')), {
    doc: 'Name servers for names that are not of containers, asked from inside the container. Default: `--dns` of the supervisor, else those of the host, asked from the host.',
    change: 'restart',
    example: ['9.9.9.9'],
  }),
  dnsSearch: field(oneOrMany(z.string().refine((text) => text === '.' || isHostName(text), 'expected a domain')), {
    doc: 'Search domains for short names; `.` means none.',
    change: 'restart',
    example: ['example.com'],
  }),
  extraHosts: field(extraHosts.prefault([]), {
    doc: 'More lines of /etc/hosts: a list of `name:address` or a mapping. The address `host-gateway` stands for those that this host has on the network of the container (`--host-gateway-ip` of the supervisor names others).',
    change: 'restart',
    example: ['gate:192.0.2.1'],
  }),
  restart: field(restart.prefault('no'), {
    doc: '`no`, `always`, `unless-stopped`, `on-failure[:N]`, or `policy`, `max` (0 has no limit; starts that fail because of the container itself count too) and `backoff`: `tsdocker` (at once, then 500ms doubled up to 60s; from the start after 10s of running, with probes 60s after ready), `docker` (100ms doubled up to 60s; again after 10s), `kubelet` (at once, then 10s doubled up to 5m; again after 10m), or `preset` with `initial`, `factor`, `max` and `resetAfter`.',
    change: 'in-place',
    example: 'always',
  }),
  health: field(health, {
    doc: 'Health checks: one check for readiness and liveness, or probes under `startup`, `readiness` and `liveness`. Default: HEALTHCHECK of the image; `none` disables it.',
    change: 'in-place',
    example: { exec: ['pg_isready'], interval: '5s' },
    text: true,
  }),
  resources: field(resources, { doc: 'Limits.', change: 'in-place', example: { memory: '256MiB', cpus: 0.5 } }),
  bandwidth: field(bandwidth, {
    doc: 'Most that it may receive (`ingress`) and send (`egress`) at each of its interfaces, in bits a second: `8kbit` to `400Gbit`, one rate for both or a mapping. Needs networks of the driver `bridge`. What comes faster waits up to 25ms and is dropped then. A container with the capability NET_ADMIN can lift its own `egress`; it is put back.',
    change: 'in-place',
    example: { ingress: '100Mbit', egress: '10Mbit' },
  }),
  sysctls: field(sysctls, {
    doc: 'Kernel settings that each container has for itself: `net.*` (not with the network of the host), `fs.mqueue.*` and those of System V IPC (`kernel.shmmax`, `kernel.sem`). Written before its program starts, when its interfaces are there; a `/` stands for a dot in the name of an interface. Those of one interface, whatever its name, are `sysctls` below `networks`.',
    change: 'restart',
    example: { 'net.core.somaxconn': 1024 },
  }),
  capabilities: field(capabilities, {
    doc: 'Capabilities to `add` to or `drop` from the default set, with or without CAP_; `ALL` means all of them.',
    example: { add: ['NET_ADMIN'], drop: ['ALL'] },
  }),
  privileged: field(booleanField(), {
    doc: 'All capabilities, all devices and no masked paths: root inside is root outside.',
    example: true,
  }),
  readOnly: field(booleanField(), {
    doc: 'Makes the root filesystem read-only, including hosts, hostname and resolv.conf; volumes stay writable.',
    example: true,
  }),
  noNewPrivileges: field(booleanField(), {
    doc: 'Programs cannot gain privileges by set-uid or file capabilities.',
    example: true,
  }),
  seccomp: field(
    orNull(hostPath()).transform((written) => (written === 'default' ? null : written)),
    {
      doc: "Filter of system calls. `default` allows the calls of Docker's default profile and of the container's capabilities; a privileged container has no filter. `unconfined` means no filter, anything else is the path of a profile, in Docker's JSON or as `linux.seccomp` of an OCI bundle; its content is part of the declaration, like that of a file bound read-only. A text that begins with `{` is the profile itself.",
      change: 'restart',
      example: './profile.json',
    },
  ),
  pid: field(pidMode, {
    doc: 'Whose processes it sees: its own (`private`, the default), those of the `host`, or those of another container (`container:NAME`), which runs first and takes this one along when it ends.',
    change: 'restart',
    example: 'host',
  }),
  ipc: field(ipcMode, {
    doc: 'Semaphores, message queues and /dev/shm: its own (`private`, the default), its own that others may share (`shareable`), its own without a /dev/shm (`none`), those of the `host`, or those of a shareable container (`container:NAME`), which runs first.',
    change: 'restart',
    example: 'shareable',
  }),
  uts: field(utsMode, {
    doc: 'Host name and domain name: its own (`private`, the default) or those of the `host`.',
    change: 'restart',
    example: 'host',
  }),
  cgroupns: field(cgroupnsMode, {
    doc: 'Control groups that it sees: its own (`private`, the default) or, read-only, those of the `host`.',
    change: 'restart',
    example: 'host',
  }),
  devices: field(listOf(shortForm(z.string(), parseDevice)), {
    doc: 'Devices of the host: `/dev/host[:/dev/container[:rwm]]`.',
    example: ['/dev/fuse'],
  }),
  shmSize: field(
    orNull(shortForm(textOrNumber(), parseBytes).refine((bytes) => bytes > 0, 'expected a size above 0')),
    {
      doc: 'Size of /dev/shm. Default: 64MiB.',
      change: 'restart',
      example: '256MiB',
    },
  ),
  oomScoreAdj: field(orNull(z.int().min(-1000).max(1000)), {
    doc: 'Which containers the kernel ends first when memory is short: from -1000, never, to 1000, before all others. Default: 0.',
    change: 'restart',
    example: 500,
  }),
  tty: field(booleanField(), {
    doc: 'Give it a terminal, which `tsdocker attach` connects to yours.',
    change: 'restart',
    example: true,
  }),
  stdin: field(booleanField(), {
    doc: 'Keep standard input open for `tsdocker attach`; without it the container reads from /dev/null.',
    change: 'restart',
    example: true,
  }),
  stopSignal: field(shortForm(textOrNumber(), parseSignal).prefault('SIGTERM'), {
    doc: 'Signal that asks the container to stop.',
    change: 'in-place',
    example: 'SIGQUIT',
  }),
  stopTimeout: field(shortForm(textOrNumber(), parseDuration).prefault('10s'), {
    doc: 'Time to stop before it is killed; a plain number is seconds.',
    change: 'in-place',
    example: '30s',
  }),
  log: field(log, {
    doc: 'Size of its log: at most `maxFiles` files of `maxSize` each; the oldest is deleted first. `driver: journald` or `syslog` also forwards it: to the journal (`address`: the socket of another journal namespace), or to `address` (`udp://host:514`, `tcp://host:601`, `unix:///dev/log`) in `format` rfc5424 or rfc3164 with `facility`; `tag` is its name there.',
    change: 'restart',
    example: { maxSize: '10MiB', maxFiles: 5, driver: 'journald' },
  }),
  update: field(update, {
    doc: 'How a running container is updated, and what happens when the update fails.',
    change: 'in-place',
    example: { order: 'start-first', timeout: '60s' },
  }),
  onChange: field(reaction().prefault('restart'), {
    doc: 'Reaction to new content of an env file, a secret or a file bound read-only: `restart`, `recreate`, `signal:HUP` (any signal) or `ignore`. A mount can override it. A file that was replaced (written under another name and renamed, as editors do) is bound again before the signal. In an applied app, changed files take effect only with the next apply, unless `onChange` or a top-level `follow: true` is written.',
    change: 'in-place',
    example: 'signal:HUP',
  }),
  drift: field(z.enum(DRIFT_POLICIES).default('heal'), {
    doc: 'Reaction when another program removes an interface, an address or a published port: `heal` restores it, `report` only reports it, `ignore` does nothing.',
    change: 'in-place',
    example: 'report',
  }),
  init: field(booleanField(), {
    doc: 'Run it under a minimal init that reaps orphaned processes and forwards signals.',
    change: 'restart',
    example: true,
  }),
});

/** A program of an image, run and kept running. */
export const containerSchema = containerFields.transform(({ stopTimeout, ...rest }) =>
  normalNetworks({ ...rest, stopTimeoutMs: stopTimeout }),
);

export type ContainerSpec = Readonly<z.output<typeof containerSchema>>;
