/** A Compose service as a container: one line for each field of the Compose specification, "Services". */
import { resolve } from 'node:path';
import { sysctlProblem } from '../../../model/kinds/sysctl-forms.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import { parseEnvFile } from '../../env-file.ts';
import type { ImportContext, ResourceDraft } from '../draft.ts';
import { imageReference, safeName } from '../names.ts';
import type { FieldTable, Part } from '../part.ts';
import { shellWords } from '../words.ts';
import { readBuild } from './build.ts';
import { parseDotEnv } from './dot-env.ts';
import { healthcheck } from './healthcheck.ts';
import type { Values } from './loader.ts';
import { logging } from './logging.ts';
import { pairs } from './pairs.ts';
import { addPort } from './ports.ts';
import { readRestartPolicy } from './running.ts';
import type { Storage } from './storage.ts';

export interface Service {
  readonly container: ResourceDraft;
  readonly storage: Storage;
  readonly context: ImportContext;
  /** Variables of `.env`. */
  readonly variables: Values;
  /** The image that `build` makes; null without. */
  readonly built: ResourceDraft | null;
}

type Rule = (part: Part, service: Service) => void;

const text =
  (field: string): Rule =>
  (part, { container }) =>
    container.set(field, part.text(), part.at);
const flag =
  (field: string): Rule =>
  (part, { container }) =>
    container.set(field, part.boolean(), part.at);
const list =
  (field: string): Rule =>
  (part, { container }) => {
    for (const item of part.oneOrMany()) container.append(field, item.text(), item.at);
  };
const limit =
  (name: string): Rule =>
  (part, { container }) =>
    container.put('resources', name, part.text(), part.at);
const numericLimit =
  (name: string): Rule =>
  (part, { container }) =>
    container.put('resources', name, part.number(), part.at);

/** `service:NAME` is the container of a service here; `container:NAME` is one that is there already. */
const namespace =
  (field: 'pid' | 'ipc'): Rule =>
  (part, { container }) => {
    const [, kind, name = ''] = /^(service|container):(.*)$/s.exec(part.text()) ?? [];
    if (kind === undefined) container.set(field, part.text(), part.at);
    else if (safeName(name) === null) container.refuse(part.at, `${field}: ${JSON.stringify(name)} cannot be a name`);
    else container.set(field, `container:${safeName(name)}`, part.at);
  };

/** A text is split into words; no shell sees it. */
const words =
  (field: string): Rule =>
  (part, { container }) => {
    if (part.content.type === 'list') {
      container.set(
        field,
        part.items().map((item) => item.text()),
        part.at,
      );
      return;
    }
    const split = shellWords(part.text());
    if (split.ok) container.set(field, split.value, part.at);
    else container.refuse(part.at, `${field}: ${split.message}`);
  };

const environment: Rule = (part, { container, variables }) => {
  const add = (name: string, value: string | undefined, at: SourcePosition) => {
    const known = value ?? variables.get(name);
    if (known === undefined)
      container.warn(at, `${name} would be taken from a shell; it has no value in .env and is left out`);
    else container.put('env', name, known, at);
  };
  if (part.content.type === 'mapping') {
    for (const [name, value] of part.entries()) add(name, value.isNothing ? undefined : value.text(), value.keyAt);
    return;
  }
  for (const item of part.items()) {
    const [name = '', ...rest] = item.text().split('=');
    add(name, rest.length === 0 ? undefined : rest.join('='), item.at);
  }
};

/** Compose reads quotes, comments and variables in env files; ours are taken as they are. */
function warnOfSyntax(content: string, item: Part, { container, variables }: Service): void {
  const plain = parseEnvFile(content);
  const { values } = parseDotEnv(content, variables);
  const differing = [...values].find(
    ([name, value]) => plain.values.get(name) !== value && plain.values.get(name) !== variables.get(name),
  );
  if (differing) {
    const what = 'quotes, comments and variables are taken as part of the value';
    container.warn(item.at, `${item.text()}: ${what}, here of ${differing[0].slice(0, 60)}`);
  }
}

const envFile: Rule = (part, service) => {
  const { container, context } = service;
  for (const item of part.oneOrMany()) {
    const path = item.content.type === 'mapping' ? item.get('path') : item;
    for (const [key, member] of item.content.type === 'mapping' ? item.entries() : []) {
      if (!['path', 'required', 'format'].includes(key) && !key.startsWith('x-'))
        container.warn(member.keyAt, `unknown field ${JSON.stringify(key.slice(0, 80))} is left out`);
    }
    if (!path) continue;
    const read = context.readFile(resolve(context.baseDir, path.text()));
    if (!read.ok && read.reason === 'missing' && item.get('required')?.boolean() === false) {
      container.warn(path.at, `${path.text()} is not there and not required; it is left out`);
      continue;
    }
    if (read.ok && item.textOf('format') !== 'raw') warnOfSyntax(read.bytes.toString('utf8'), path, service);
    container.append('envFile', path.text(), path.at);
  }
};

const labels: Rule = (part, { container }) => {
  for (const [name, value, at] of pairs(part)) container.put('labels', name, value, at);
};

const containerName: Rule = (part, { container }) => {
  const name = safeName(part.text());
  if (name === null) return container.refuse(part.at, `${JSON.stringify(part.text())} cannot be a name`);
  if (name !== part.text()) container.warn(part.at, `the name ${part.text()} becomes ${name}`);
  container.set('containerName', name, part.at);
};

/** Both `host:address` and `host=address`. */
const extraHosts: Rule = (part, { container }) => {
  const hosts =
    part.content.type === 'mapping'
      ? part
          .entries()
          .flatMap(([name, value]) => value.oneOrMany().map((item) => [name, item.text(), item.at] as const))
      : part.items().map((item) => {
          const [, name = '', address = ''] = /^([^:=]*)[:=](.*)$/.exec(item.text()) ?? [];
          return [name, address, item.at] as const;
        });
  for (const [name, address, at] of hosts) {
    container.append('extraHosts', `${name}:${address.replace(/^\[(.*)\]$/, '$1')}`, at);
  }
};

const securityOptions: Rule = (part, { container }) => {
  for (const item of part.items()) {
    const option = item.text();
    const [, profile] = /^seccomp[:=](.+)$/.exec(option) ?? [];
    // What Docker's daemon has built in is our default.
    if (profile !== undefined) container.set('seccomp', profile === 'builtin' ? 'default' : profile, item.at);
    else if (/^no-new-privileges([:=]true)?$/.test(option)) container.set('noNewPrivileges', true, item.at);
    else if (!/^no-new-privileges[:=]false$/.test(option)) container.later(item.at, `security_opt ${option}`);
  }
};

const ulimits: Rule = (part, { container }) => {
  for (const [name, value] of part.entries()) {
    const limits =
      value.content.type === 'mapping' ? `${value.textOf('soft') ?? ''}:${value.textOf('hard') ?? ''}` : value.text();
    container.putIn('resources', 'ulimits', name, limits, value.keyAt);
  }
};

const LIMITS: FieldTable<Service> = {
  cpus: numericLimit('cpus'),
  memory: limit('memory'),
  pids: numericLimit('pids'),
};

const copies: Rule = (part, { container }) => {
  if (part.text() !== '1') container.warn(part.keyAt, `${part.text()} copies were asked for; one runs in this version`);
};

const DEPLOY: FieldTable<Service> = {
  replicas: copies,
  resources: (part, service) =>
    part.each(
      { limits: (limits, to) => limits.each(LIMITS, to, to.container), reservations: 'later' },
      service,
      service.container,
    ),
  restart_policy: (part, { container }) => readRestartPolicy(part, container),
  mode: 'no meaning: there is one host',
  placement: 'no meaning: there is one host',
  endpoint_mode: 'no meaning: there is one host',
  labels: 'no meaning: they are for a cluster',
  // Read when all else of the container is: running.ts.
  update_config: () => {},
  rollback_config: 'later',
};

export const SERVICE: FieldTable<Service> = {
  image: (part, { container, built }) => {
    if (built === null) container.set('image', imageReference(part.text()), part.at);
    else container.warn(part.keyAt, `image: what build makes is called ${built.name}`);
  },
  build: (part, { container, storage, built }) => {
    if (built === null) return;
    readBuild(part, built, storage);
    container.set('image', built.name, part.keyAt);
  },
  container_name: containerName,
  command: words('command'),
  entrypoint: words('entrypoint'),
  environment,
  env_file: envFile,
  working_dir: text('workingDir'),
  user: text('user'),
  hostname: text('hostname'),
  domainname: text('domainname'),
  labels,
  volumes: (part, { container, storage }) => {
    for (const item of part.items()) {
      if (item.content.type === 'mapping') storage.long(item, container);
      else storage.short(item, container);
    }
  },
  tmpfs: (part, { container }) => {
    for (const item of part.oneOrMany()) {
      const [target = '', options] = item.text().split(':');
      const size = /(?:^|,)size=([^,]+)/.exec(options ?? '')?.[1];
      if (options !== undefined && options !== `size=${size}`)
        container.warn(item.at, `options ${options}: only size is kept`);
      container.append('volumes', { type: 'tmpfs', target, ...(size !== undefined && { size }) }, item.at);
    }
  },
  secrets: (part, { container, storage }) => {
    for (const item of part.items()) storage.file('secrets', item, container);
  },
  configs: (part, { container, storage }) => {
    for (const item of part.items()) storage.file('configs', item, container);
  },
  volumes_from: (part, { container }) => {
    for (const item of part.items()) {
      const [name = '', mode] = item
        .text()
        .replace(/^container:/, '')
        .split(':');
      container.append('volumesFrom', `${safeName(name) ?? name}${mode === undefined ? '' : `:${mode}`}`, item.at);
    }
  },
  ports: (part, { container }) => {
    for (const item of part.items()) addPort(item, container);
  },
  expose: list('expose'),
  dns: list('dns'),
  dns_search: list('dnsSearch'),
  extra_hosts: extraHosts,
  // What `deploy` says wins.
  restart: (part, { container }) => {
    if (container.get('restart') === undefined) container.set('restart', part.text(), part.at);
  },
  mem_limit: limit('memory'),
  memswap_limit: (part, { container }) =>
    container.put('resources', 'memorySwap', part.text() === '-1' ? 'unlimited' : part.text(), part.at),
  cpus: numericLimit('cpus'),
  cpu_shares: numericLimit('cpuShares'),
  cpuset: limit('cpuset'),
  pids_limit: (part, service) => {
    if (part.text() !== '-1') numericLimit('pids')(part, service);
  },
  ulimits,
  cap_add: (part, { container }) => capabilities('add', part, container),
  cap_drop: (part, { container }) => capabilities('drop', part, container),
  privileged: flag('privileged'),
  read_only: flag('readOnly'),
  security_opt: securityOptions,
  devices: (part, { container }) => {
    for (const item of part.items()) {
      if (item.content.type === 'mapping') container.later(item.at, 'the long form of a device');
      else container.append('devices', item.text(), item.at);
    }
  },
  tty: flag('tty'),
  stdin_open: flag('stdin'),
  stop_signal: text('stopSignal'),
  stop_grace_period: text('stopTimeout'),
  init: flag('init'),
  healthcheck,
  deploy: (part, service) => part.each(DEPLOY, service, service.container),
  scale: copies,
  // Read elsewhere: networks.ts, links.ts, project.ts, image-origin.ts.
  networks: () => {},
  network_mode: () => {},
  mac_address: () => {},
  depends_on: () => {},
  links: () => {},
  profiles: () => {},
  pull_policy: () => {},
  pull_refresh_after: 'no meaning: a registry is asked at an edit, by apply --refresh or tsdocker pull',
  platform: () => {},
  annotations: 'no meaning: use labels',
  attach: 'no meaning: logs are always kept',
  develop: 'no meaning: it is for a developer at work',
  logging,
  external_links: 'later',
  shm_size: text('shmSize'),
  sysctls: (part, { container }) => {
    for (const [name, value, at] of pairs(part)) {
      const problem = sysctlProblem(name);
      if (problem === null) container.put('sysctls', name, value, at);
      else container.refuse(at, problem);
    }
  },
  ipc: namespace('ipc'),
  pid: namespace('pid'),
  uts: text('uts'),
  // No user is remapped.
  userns_mode: (part, { container }) => {
    if (part.text() !== 'host') container.later(part.at, `userns_mode ${part.text().slice(0, 40)}`);
  },
  cgroup: text('cgroupns'),
  cgroup_parent: 'later',
  group_add: list('groups'),
  runtime: 'later',
  gpus: 'later',
  models: 'later',
  provider: 'later',
  credential_spec: 'no meaning: it is for Windows',
  isolation: 'no meaning: it is for Windows',
  dns_opt: 'later',
  device_cgroup_rules: 'later',
  blkio_config: 'later',
  storage_opt: 'later',
  oom_score_adj: (part, { container }) => container.set('oomScoreAdj', part.number(), part.at),
  oom_kill_disable: 'later',
  mem_reservation: 'later',
  mem_swappiness: 'later',
  cpu_count: 'later',
  cpu_percent: 'later',
  cpu_period: 'later',
  cpu_quota: 'later',
  cpu_rt_period: 'later',
  cpu_rt_runtime: 'later',
  post_start: 'later',
  pre_stop: 'later',
  label_file: 'later',
  use_api_socket: 'later',
};

function capabilities(which: 'add' | 'drop', part: Part, container: ResourceDraft): void {
  const names = part.items().map((item) => item.text());
  if (names.length > 0) container.put('capabilities', which, names, part.at);
}
