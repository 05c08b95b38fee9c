/** A container of a pod: one line for each field of the Kubernetes API, "Container v1 core". */
import { posix } from 'node:path';
import { MAX_TEXT, type ResourceDraft } from '../draft.ts';
import { imageReference } from '../names.ts';
import type { FieldTable, Part } from '../part.ts';
import { type Environment, expandVariables } from './config.ts';
import { parseQuantity } from './quantity.ts';
import type { PodVolumes } from './volumes.ts';

export interface KubeContainer {
  readonly container: ResourceDraft;
  /** The container that has the pod's network, which publishes the ports of all. */
  readonly owner: ResourceDraft;
  readonly environment: Environment;
  readonly volumes: PodVolumes;
  readonly portNames: Map<string, string>;
}

type Rule = (part: Part, target: KubeContainer) => void;

const flag =
  (field: string): Rule =>
  (part, { container }) =>
    container.set(field, part.boolean(), part.at);

const words =
  (field: string): Rule =>
  (part, { container }) => {
    const env = (container.get('env') ?? {}) as Record<string, unknown>;
    let length = 0;
    const list = part.items().map((item) => {
      // More than that has no room.
      const text = length > MAX_TEXT ? item.text() : expandVariables(item.text(), env);
      length += text.length;
      return text;
    });
    container.set(field, list, part.at);
  };

function quantity(part: Part, container: ResourceDraft): number | null {
  const value = parseQuantity(part.text());
  if (value === null) container.refuse(part.at, `${JSON.stringify(part.text().slice(0, 40))} is not a quantity`);
  return value;
}

const LIMITS: FieldTable<ResourceDraft> = {
  memory: (part, container) => {
    const bytes = quantity(part, container);
    if (bytes !== null) container.put('resources', 'memory', Math.ceil(bytes), part.at);
  },
  cpu: (part, container) => {
    const cpus = quantity(part, container);
    if (cpus !== null) container.put('resources', 'cpus', cpus, part.at);
  },
};

/** kubelet makes a weight of the CPU request: 1024 for one CPU, at least 2 (pkg/kubelet/cm/helpers_linux.go). */
const REQUESTS: FieldTable<ResourceDraft> = {
  cpu: (part, container) => {
    const cpus = quantity(part, container);
    if (cpus !== null) container.put('resources', 'cpuShares', Math.max(2, Math.floor(cpus * 1024)), part.at);
  },
  memory: 'no meaning: memory is limited here and not reserved',
};

const CAPABILITIES: FieldTable<ResourceDraft> = {
  add: (part, container) => names('add', part, container),
  drop: (part, container) => names('drop', part, container),
};

function names(which: string, part: Part, container: ResourceDraft): void {
  const list = part.items().map((item) => item.text());
  if (list.length > 0) container.put('capabilities', which, list, part.at);
}

/** Where a kubelet, and Podman in its place, looks for profiles that a pod names. */
const PROFILES = '/var/lib/kubelet/seccomp';

function setSeccomp(part: Part, container: ResourceDraft): void {
  const type = part.textOf('type');
  const name = part.textOf('localhostProfile') ?? '';
  if (type === 'Localhost') container.set('seccomp', posix.join(PROFILES, name), part.at);
  else if (type === 'Unconfined') container.set('seccomp', 'unconfined', part.at);
  else if (type === 'RuntimeDefault') container.set('seccomp', 'default', part.at);
  else container.refuse(part.at, `seccompProfile of type ${type ?? 'none'} is unknown`);
}

/** Fields that pods and containers have in common are read by {@link userOf}. */
export const SECURITY: FieldTable<ResourceDraft> = {
  privileged: (part, container) => container.set('privileged', part.boolean(), part.at),
  readOnlyRootFilesystem: (part, container) => container.set('readOnly', part.boolean(), part.at),
  allowPrivilegeEscalation: (part, container) => container.set('noNewPrivileges', part.boolean() === false, part.at),
  capabilities: (part, container) => part.each(CAPABILITIES, container, container),
  runAsUser: () => {},
  runAsGroup: () => {},
  runAsNonRoot: 'later',
  fsGroup: 'later',
  fsGroupChangePolicy: 'later',
  supplementalGroups: 'later',
  seLinuxOptions: 'later',
  seccompProfile: (part, container) => setSeccomp(part, container),
  appArmorProfile: 'later',
  procMount: 'later',
  sysctls: 'later',
  windowsOptions: 'no meaning: it is for Windows',
};

/** The container's own user wins over the pod's. */
export function setUser(container: ResourceDraft, own: Part | undefined, pod: Part | undefined): void {
  const user = own?.get('runAsUser') ?? pod?.get('runAsUser');
  const group = own?.get('runAsGroup') ?? pod?.get('runAsGroup');
  if (user) container.set('user', group ? `${user.text()}:${group.text()}` : user.text(), user.at);
  else if (group) container.warn(group.keyAt, 'runAsGroup without runAsUser is left out');
}

const port: Rule = (part, { container, owner, portNames }) => {
  for (const item of part.items()) {
    const number = item.textOf('containerPort') ?? '';
    const name = item.textOf('name');
    if (name !== undefined) portNames.set(name, number);
    const protocol = (item.textOf('protocol') ?? 'TCP').toLowerCase();
    const suffix = protocol === 'tcp' ? '' : `/${protocol}`;
    const host = item.textOf('hostPort');
    const ip = item.textOf('hostIP');
    if (host === undefined) owner.append('expose', `${number}${suffix}`, item.at);
    else owner.append('ports', `${ip === undefined ? '' : `${ip}:`}${host}:${number}${suffix}`, item.at);
    for (const [key, other] of item.entries()) {
      if (!['containerPort', 'name', 'protocol', 'hostPort', 'hostIP'].includes(key)) {
        container.warn(other.keyAt, `unknown field ${JSON.stringify(key.slice(0, 80))} is left out`);
      }
    }
  }
};

export const CONTAINER: FieldTable<KubeContainer> = {
  name: () => {},
  image: (part, { container }) => container.set('image', imageReference(part.text()), part.at),
  // The environment is read first: arguments are filled with it.
  env: () => {},
  envFrom: () => {},
  command: words('entrypoint'),
  args: words('command'),
  workingDir: (part, { container }) => container.set('workingDir', part.text(), part.at),
  ports: port,
  volumeMounts: (part, { container, volumes }) => {
    for (const item of part.items()) volumes.mount(item, container);
  },
  resources: (part, { container }) =>
    part.each(
      {
        limits: (limits, to) => limits.each(LIMITS, to, to),
        requests: (requests, to) => requests.each(REQUESTS, to, to),
        claims: 'later',
      },
      container,
      container,
    ),
  securityContext: (part, { container }) => part.each(SECURITY, container, container),
  tty: flag('tty'),
  stdin: flag('stdin'),
  stdinOnce: 'later',
  // Read in pod.ts.
  imagePullPolicy: () => {},
  // Read when all ports of the pod are known: probes.ts.
  livenessProbe: () => {},
  readinessProbe: () => {},
  startupProbe: () => {},
  lifecycle: 'later',
  volumeDevices: (part, { container }) =>
    container.refuse(part.keyAt, 'block devices as volumes are not in this version'),
  restartPolicy: 'no meaning: an init container runs to its end here',
  terminationMessagePath: 'no meaning: the end of the log says it',
  terminationMessagePolicy: 'no meaning: the end of the log says it',
  resizePolicy: 'no meaning: limits change while it runs',
};
