/** A pod: containers that share a network, started after its init containers. */
import { sharedNetwork } from '../../../model/network-mode.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import type { Draft, ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { respectMode } from '../network-mode.ts';
import type { FieldTable, Part } from '../part.ts';
import { declarePull } from '../pull.ts';
import { type Config, Environment } from './config.ts';
import { CONTAINER, SECURITY, setUser } from './container.ts';
import { addProbes } from './probes.ts';
import type { Pod } from './service.ts';
import { PodVolumes } from './volumes.ts';

export interface Workload {
  readonly name: string;
  readonly metadata: Part | undefined;
  readonly spec: Part | undefined;
  readonly position: SourcePosition;
  readonly defaultRestart: string;
}

const RESTART: ReadonlyMap<string, string> = new Map([
  ['Always', 'always'],
  ['OnFailure', 'on-failure'],
  ['Never', 'no'],
]);
const PULL_POLICIES: ReadonlyMap<string, 'always' | 'never'> = new Map([
  ['Always', 'always'],
  ['Never', 'never'],
] as const);

const DNS: FieldTable<ResourceDraft> = {
  nameservers: (part, owner) => {
    for (const item of part.items()) owner.append('dns', item.text(), item.at);
  },
  searches: (part, owner) => {
    for (const item of part.items()) owner.append('dnsSearch', item.text(), item.at);
  },
  options: 'later',
};

/** What concerns the pod as a whole and is set on the container that has its network. */
const POD: FieldTable<ResourceDraft> = {
  hostname: (part, owner) => owner.set('hostname', part.text(), part.at),
  hostAliases: (part, owner) => {
    for (const item of part.items()) {
      for (const name of item.get('hostnames')?.items() ?? []) {
        owner.append('extraHosts', `${name.text()}:${item.textOf('ip') ?? ''}`, name.at);
      }
    }
  },
  dnsConfig: (part, owner) => part.each(DNS, owner, owner),
  // Read below.
  containers: () => {},
  initContainers: () => {},
  volumes: () => {},
  restartPolicy: () => {},
  terminationGracePeriodSeconds: () => {},
  hostNetwork: () => {},
  securityContext: (part, owner) => part.each({ ...SECURITY, runAsUser: () => {}, runAsGroup: () => {} }, owner, owner),
  ephemeralContainers: 'no meaning: use `tsdocker exec`',
  dnsPolicy: 'no meaning: name servers are those of the host, or of dnsConfig',
  hostIPC: 'later',
  hostPID: 'later',
  hostUsers: 'later',
  shareProcessNamespace: 'later',
  activeDeadlineSeconds: 'later',
  imagePullSecrets: 'later',
  runtimeClassName: 'later',
  subdomain: 'later',
  setHostnameAsFQDN: 'later',
  readinessGates: 'later',
  nodeSelector: 'no meaning: there is one host',
  nodeName: 'no meaning: there is one host',
  affinity: 'no meaning: there is one host',
  tolerations: 'no meaning: there is one host',
  topologySpreadConstraints: 'no meaning: there is one host',
  schedulerName: 'no meaning: there is one host',
  priority: 'no meaning: there is one host',
  priorityClassName: 'no meaning: there is one host',
  preemptionPolicy: 'no meaning: there is one host',
  overhead: 'no meaning: there is one host',
  os: 'no meaning: it is Linux',
  serviceAccountName: 'no meaning: there is no API server to talk to',
  serviceAccount: 'no meaning: there is no API server to talk to',
  automountServiceAccountToken: 'no meaning: there is no API server to talk to',
  enableServiceLinks: 'no meaning: links put variables into the environment',
};

const OF_CLUSTER = 'no meaning: there is no API server to talk to' as const;

/** Of a pod, or of the template of one. */
const METADATA: FieldTable<null> = {
  // Read elsewhere.
  name: () => {},
  namespace: () => {},
  labels: () => {},
  annotations: 'no meaning: they are for controllers; what a variable takes from them is read',
  generateName: OF_CLUSTER,
  finalizers: OF_CLUSTER,
  ownerReferences: OF_CLUSTER,
  // An API server writes these.
  creationTimestamp: () => {},
  resourceVersion: () => {},
  uid: () => {},
  generation: () => {},
  managedFields: () => {},
  selfLink: () => {},
};

export class PodImporter {
  readonly #workload: Workload;
  readonly #config: Config;
  readonly #draft: Draft;
  readonly #volumes: PodVolumes;
  readonly #portNames = new Map<string, string>();

  constructor(workload: Workload, config: Config, draft: Draft) {
    this.#workload = workload;
    this.#config = config;
    this.#draft = draft;
    this.#volumes = new PodVolumes(workload.spec?.get('volumes'), workload.name, config, draft);
  }

  /** Null, with an issue, when the pod has no containers. */
  add(): Pod | null {
    const { spec, name, metadata, position } = this.#workload;
    const parts = spec?.get('containers')?.items() ?? [];
    const [first, ...others] = parts;
    if (!spec || !first) {
      this.#draft.refuse(position, `${name} has no containers`);
      return null;
    }
    const owner = this.#draft.newResource('containers', others.length === 0 ? name : this.#nameOf(first), first.at);
    this.#container(first, owner, owner);
    if (!spec.get('hostNetwork')?.boolean()) this.#nameHost(owner);
    spec.each(POD, owner, owner);
    metadata?.each(METADATA, null, owner);
    for (const [label, value] of metadata?.get('labels')?.entries() ?? [])
      owner.put('labels', label, value.text(), value.at);
    const host = spec.get('hostNetwork');
    if (host?.boolean()) this.#useHost(owner, host);
    for (const part of others) {
      const container = this.#draft.newResource('containers', this.#nameOf(part), part.at);
      this.#container(part, container, owner);
      container.set('network', host?.boolean() ? 'host' : sharedNetwork(owner.name), part.at);
    }
    const inits = this.#initContainers(spec, owner);
    return { labels: metadata?.get('labels'), owner, inits, portNames: this.#portNames };
  }

  #pull(policy: Part | undefined, container: ResourceDraft): void {
    if (policy === undefined || policy.isNothing || policy.text() === 'IfNotPresent') return;
    const value = PULL_POLICIES.get(policy.text());
    if (value) declarePull(this.#draft, container, { policy: { value, at: policy.at } });
    else container.refuse(policy.at, `imagePullPolicy ${JSON.stringify(policy.text())} is unknown`);
  }

  #useHost(owner: ResourceDraft, host: Part): void {
    owner.set('network', 'host', host.at);
    // Ports are open on the host as they are.
    owner.remove('ports');
    respectMode(owner);
  }

  /** What processes call their host is the name of the pod unless that says otherwise. */
  #nameHost(container: ResourceDraft): void {
    const { name, position, spec } = this.#workload;
    const said = spec?.get('hostname');
    container.set('hostname', said?.text() ?? name, said?.at ?? position);
  }

  #nameOf(part: Part): string {
    return safeName(`${this.#workload.name}-${part.textOf('name') ?? 'container'}`) ?? this.#workload.name;
  }

  #container(part: Part, container: ResourceDraft, owner: ResourceDraft): void {
    const { spec, name, metadata, defaultRestart } = this.#workload;
    const environment = new Environment(container, this.#config, { name, metadata });
    const from = part.get('envFrom');
    const list = part.get('env');
    if (from) environment.from(from);
    if (list) environment.list(list);
    part.each(
      CONTAINER,
      { container, owner, environment, volumes: this.#volumes, portNames: this.#portNames },
      container,
    );
    addProbes(part, container, this.#portNames);
    this.#pull(part.get('imagePullPolicy'), container);
    setUser(container, part.get('securityContext'), spec?.get('securityContext'));
    const policy = spec?.get('restartPolicy');
    const restart = RESTART.get(policy?.text() ?? defaultRestart);
    if (restart === undefined) container.refuse(policy?.at ?? part.at, `restartPolicy ${policy?.text()} is unknown`);
    else container.set('restart', restart, policy?.at ?? part.at);
    // Kubernetes waits for 30 s, tsdocker for 10.
    const grace = spec?.get('terminationGracePeriodSeconds');
    container.set('stopTimeout', `${grace?.text() ?? '30'}s`, grace?.at ?? part.at);
  }

  /** One after the other, and all before the first container. */
  #initContainers(spec: Part, owner: ResourceDraft): ResourceDraft[] {
    const made: ResourceDraft[] = [];
    let before: string | null = null;
    for (const part of spec.get('initContainers')?.items() ?? []) {
      const container = this.#draft.newResource('containers', this.#nameOf(part), part.at);
      this.#container(part, container, container);
      this.#nameHost(container);
      container.set('restart', 'on-failure', part.at);
      container.warn(part.at, 'an init container has a network of its own here, not that of the pod');
      if (before !== null) container.append('dependsOn', `${before}:completed`, part.at);
      before = container.name;
      made.push(container);
    }
    if (before !== null) owner.append('dependsOn', `${before}:completed`, owner.position);
    return made;
  }
}
