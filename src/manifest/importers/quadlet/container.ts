/** [Container] of a Quadlet unit (podman-systemd.unit(5)) as a container: one line for each key. */

import type { ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { addMountOption, addVolume } from './mounts.ts';
import type { KeyTable } from './rules.ts';
import { addSecrets } from './secrets.ts';
import type { Entry } from './unit-file.ts';
import type { Units } from './units.ts';

export interface ContainerTarget {
  readonly container: ResourceDraft;
  readonly units: Units;
}

type Rule = (entry: Entry, target: ContainerTarget) => void;

const text =
  (field: string): Rule =>
  (entry, { container }) =>
    container.set(field, entry.text(), entry.at);
const flag =
  (field: string): Rule =>
  (entry, { container }) =>
    container.set(field, entry.boolean(), entry.at);
const list =
  (field: string): Rule =>
  (entry, { container }) => {
    for (const word of entry.words()) container.append(field, word, entry.at);
  };
const capabilities =
  (which: 'add' | 'drop'): Rule =>
  (entry, { container }) => {
    const before = ((container.get('capabilities') ?? {}) as Record<string, string[]>)[which];
    if (before) for (const word of entry.words()) before.push(word);
    else container.put('capabilities', which, [...entry.words()], entry.at);
  };

const containerName: Rule = (entry, { container }) => {
  const name = safeName(entry.text());
  if (name === null) return container.refuse(entry.at, `${JSON.stringify(entry.text())} cannot be a name`);
  if (name !== entry.text()) container.warn(entry.at, `the name ${entry.text()} becomes ${name}`);
  container.set('containerName', name, entry.at);
};

const environment: Rule = (entry, { container }) => {
  for (const [name, value] of entry.assignments()) {
    if (value === null) container.warn(entry.at, `${name} would be taken from systemd's environment and is left out`);
    else container.put('env', name, value, entry.at);
  }
};

const labels: Rule = (entry, { container }) => {
  for (const [name, value] of entry.assignments()) container.put('labels', name, value ?? '', entry.at);
};

const devices: Rule = (entry, { container }) => {
  for (const word of entry.words()) {
    // Whether it exists is only known on the host, at the time of the start.
    if (word.startsWith('-'))
      container.warn(entry.at, `${word.slice(1)} is left out: a device is there or not, never perhaps`);
    else container.append('devices', word, entry.at);
  }
};

/** systemd.service(5), "Command lines": `$$` is one dollar sign, and variables are those of the service. */
function commandWords(entry: Entry, container: ResourceDraft): string[] {
  return entry.words().map((word) => {
    const [variable] = word.replaceAll('$$', '').match(/\$\{\w+\}|^\$[A-Za-z_]\w*$/) ?? [];
    if (variable !== undefined) {
      container.warn(
        entry.at,
        `systemd would put in the value of ${variable}; it is left as written (a $ of the program is $$)`,
      );
    }
    return word.replaceAll('$$', '$');
  });
}

/** A list in JSON, or one program without arguments. */
const entrypoint: Rule = (entry, { container }) => {
  const written = entry.text();
  let words: unknown = [written];
  if (written.startsWith('[')) {
    try {
      words = JSON.parse(written);
    } catch {
      container.refuse(entry.at, 'Entrypoint: expected a JSON list or a program');
      return;
    }
  }
  container.set('entrypoint', words, entry.at);
};

/** Podman lets the address be empty: `:8080:80`. */
export function addPorts(entry: Entry, container: ResourceDraft): void {
  container.append('ports', entry.text().replace(/^:(?=[^:]*:)/, ''), entry.at);
}

const ulimit: Rule = (entry, { container }) => {
  const [name = '', value = ''] = entry.text().split('=');
  if (value === 'host') container.later(entry.at, `Ulimit ${entry.text()}`);
  else container.putIn('resources', 'ulimits', name, value, entry.at);
};

const tmpfs: Rule = (entry, { container }) => {
  const [target = '', options] = entry.text().split(':');
  const size = /(?:^|,)size=([^,]+)/.exec(options ?? '')?.[1];
  if (options !== undefined && options !== `size=${size}`)
    container.warn(entry.at, `options ${options}: only size is kept`);
  container.append('volumes', { type: 'tmpfs', target, ...(size !== undefined && { size }) }, entry.at);
};

const NEEDS_IDS = 'later' as const;

export const CONTAINER: KeyTable<ContainerTarget> = {
  Image: (entry, { container, units }) => {
    const image = units.image(entry);
    if (image !== null) container.set('image', image, entry.at);
  },
  Rootfs: (entry, { container, units }) => units.rootfs(entry, container),
  ContainerName: containerName,
  Exec: (entry, { container }) => container.set('command', commandWords(entry, container), entry.at),
  Entrypoint: entrypoint,
  Environment: environment,
  EnvironmentFile: (entry, { container, units }) => container.append('envFile', units.path(entry.text()), entry.at),
  WorkingDir: text('workingDir'),
  HostName: text('hostname'),
  Label: labels,
  Volume: (entry, { container, units }) => addVolume(entry, container, units),
  Mount: (entry, { container, units }) => addMountOption(entry, container, units),
  Tmpfs: tmpfs,
  VolatileTmp: (entry, { container }) => {
    if (entry.boolean()) container.append('volumes', { type: 'tmpfs', target: '/tmp' }, entry.at);
  },
  PublishPort: (entry, { container }) => addPorts(entry, container),
  ExposeHostPort: list('expose'),
  DNS: list('dns'),
  DNSSearch: list('dnsSearch'),
  AddHost: list('extraHosts'),
  AddCapability: capabilities('add'),
  DropCapability: capabilities('drop'),
  AddDevice: devices,
  ReadOnly: flag('readOnly'),
  NoNewPrivileges: flag('noNewPrivileges'),
  SeccompProfile: (entry, { container, units }) => {
    const profile = entry.text();
    container.set('seccomp', profile === 'unconfined' ? profile : units.path(profile), entry.at);
  },
  RunInit: flag('init'),
  StopSignal: text('stopSignal'),
  StopTimeout: text('stopTimeout'),
  Memory: (entry, { container }) => container.put('resources', 'memory', entry.text(), entry.at),
  PidsLimit: (entry, { container }) => {
    if (entry.text() !== '-1') container.put('resources', 'pids', Number(entry.text()), entry.at);
  },
  Ulimit: ulimit,
  // Read elsewhere: containers.ts, container-networks.ts.
  IP: () => {},
  IP6: () => {},
  User: () => {},
  Group: () => {},
  Network: () => {},
  NetworkAlias: () => {},
  Pod: () => {},
  StartWithPod: (entry, { container }) => {
    if (!entry.boolean()) container.warn(entry.at, 'StartWithPod: everything declared is started');
  },
  ServiceName: 'no meaning: there is no systemd service',
  Annotation: 'no meaning: use Label',
  CgroupsMode: 'no meaning: every container has its own control group',
  HttpProxy: 'no meaning: proxies of the host are never handed on',
  ReadOnlyTmpfs: 'no meaning: add a tmpfs mount where one is needed',
  ContainersConfModule: 'no meaning: it configures Podman',
  GlobalArgs: 'no meaning: it is for Podman itself',
  PodmanArgs: 'no meaning: arguments of Podman are not looked at; see what they do here',
  Retry: 'no meaning: a pull is tried again by itself',
  RetryDelay: 'no meaning: a pull is tried again by itself',
  Secret: (entry, { container }) => addSecrets(entry, container),
  AppArmor: 'later',
  AutoUpdate: 'later',
  DNSOption: 'later',
  EnvironmentHost: 'later',
  GIDMap: NEEDS_IDS,
  UIDMap: NEEDS_IDS,
  SubGIDMap: NEEDS_IDS,
  SubUIDMap: NEEDS_IDS,
  RemapGid: NEEDS_IDS,
  RemapUid: NEEDS_IDS,
  RemapUidSize: NEEDS_IDS,
  RemapUsers: NEEDS_IDS,
  UserNS: NEEDS_IDS,
  GroupAdd: 'later',
  // Read elsewhere: health.ts, running.ts.
  HealthCmd: () => {},
  HealthInterval: () => {},
  HealthLogDestination: 'no meaning: the last five results are kept',
  HealthMaxLogCount: 'no meaning: the last five results are kept',
  HealthMaxLogSize: 'no meaning: 4096 bytes of a result are kept',
  HealthOnFailure: () => {},
  HealthRetries: () => {},
  HealthStartPeriod: () => {},
  HealthStartupCmd: () => {},
  HealthStartupInterval: () => {},
  HealthStartupRetries: () => {},
  HealthStartupSuccess: () => {},
  HealthStartupTimeout: () => {},
  HealthTimeout: () => {},
  LogDriver: () => {},
  LogOpt: () => {},
  Mask: 'later',
  Unmask: 'later',
  Notify: 'later',
  Pull: () => {},
  ReloadCmd: 'later',
  ReloadSignal: 'later',
  SecurityLabelDisable: 'later',
  SecurityLabelFileType: 'later',
  SecurityLabelLevel: 'later',
  SecurityLabelNested: 'later',
  SecurityLabelType: 'later',
  ShmSize: 'later',
  Sysctl: 'later',
  Timezone: 'later',
};

const RESTART: Readonly<Record<string, string>> = {
  no: 'no',
  always: 'always',
  'on-failure': 'on-failure',
  'on-abnormal': 'on-failure',
  'on-abort': 'on-failure',
  'on-watchdog': 'on-failure',
  'on-success': 'always',
};

/** [Service] of a container's or pod's unit. */
export const SERVICE: KeyTable<ContainerTarget> = {
  Restart: (entry, { container }) => {
    const written = entry.text();
    if (written === 'unless-stopped') {
      container.warn(
        entry.at,
        'Restart=unless-stopped: systemd does not know it and never restarts; here it is obeyed',
      );
      container.set('restart', written, entry.at);
      return;
    }
    const policy = Object.hasOwn(RESTART, written) ? RESTART[written] : undefined;
    if (policy === undefined) return container.refuse(entry.at, `Restart=${written} is not a policy of systemd`);
    if (policy !== written) container.warn(entry.at, `Restart=${written} becomes ${policy}`);
    container.set('restart', policy, entry.at);
  },
  TimeoutStopSec: (entry, { container }) => {
    if (container.get('stopTimeout') === undefined) container.set('stopTimeout', entry.text(), entry.at);
  },
  Type: 'no meaning: whether it ends is known from the restart policy',
  RestartSec: () => {},
  TimeoutStartSec: 'no meaning: a start is waited for without limit',
  RemainAfterExit: 'no meaning: a container that ended is kept',
  Environment: 'no meaning: it is for the service that runs Podman; use Environment in [Container]',
  EnvironmentFile: 'no meaning: it is for the service that runs Podman; use EnvironmentFile in [Container]',
  SyslogIdentifier: 'no meaning: logs are kept by tsdocker',
  DynamicUser: 'no meaning: it is for the service that runs Podman',
  User: 'no meaning: it is for the service that runs Podman; use User in [Container]',
  Group: 'no meaning: it is for the service that runs Podman; use Group in [Container]',
};
