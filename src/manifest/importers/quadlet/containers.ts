/** .container and .pod units: containers, the networks they are on, and what they need of each other. */
import { sharedNetwork } from '../../../model/network-mode.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import { isUnitFile } from '../bundle.ts';
import type { ResourceDraft } from '../draft.ts';
import { isMode, networksIn, respectMode } from '../network-mode.ts';
import { addPorts, CONTAINER, type ContainerTarget, SERVICE } from './container.ts';
import { UnitNetworks } from './container-networks.ts';
import { addHealth } from './health.ts';
import { addVolume } from './mounts.ts';
import { applyKeys, type KeyTable } from './rules.ts';
import { addLog, addPull, addRestartDelay } from './running.ts';
import { SYSTEMD_ONLY } from './systemd.ts';
import type { Entry, Unit } from './unit-file.ts';
import type { Units } from './units.ts';

/** A unit and its container. */
interface Made {
  readonly unit: Unit;
  readonly container: ResourceDraft;
}

interface PodTarget extends ContainerTarget {
  readonly members: readonly Made[];
}

/** What the containers of a pod share belongs to the first one; the others use its network. */
const POD: KeyTable<PodTarget> = {
  PublishPort: (entry, { container }) => addPorts(entry, container),
  Volume: (entry, { units, members }) => {
    for (const { container } of members) addVolume(entry, container, units);
  },
  // Read with the networks: container-networks.ts.
  Network: () => {},
  NetworkAlias: () => {},
  IP: () => {},
  IP6: () => {},
  AddHost: list('extraHosts'),
  DNS: list('dns'),
  DNSSearch: list('dnsSearch'),
  HostName: (entry, { container }) => container.set('hostname', entry.text(), entry.at),
  StopTimeout: (entry, { members }) => {
    for (const { container } of members) container.set('stopTimeout', entry.text(), entry.at);
  },
  Label: (entry, { members }) => {
    for (const { container } of members) {
      for (const [name, value] of entry.assignments()) container.put('labels', name, value ?? '', entry.at);
    }
  },
  PodName: 'no meaning: a pod is the containers in it',
  ServiceName: 'no meaning: there is no systemd service',
  ExitPolicy: 'no meaning: each container has its own restart policy',
  PodmanArgs: 'no meaning: arguments of Podman are not looked at; see what they do here',
  GlobalArgs: 'no meaning: it is for Podman itself',
  ContainersConfModule: 'no meaning: it configures Podman',
  DNSOption: 'later',
  GIDMap: 'later',
  UIDMap: 'later',
  SubGIDMap: 'later',
  SubUIDMap: 'later',
  RemapGid: 'later',
  RemapUid: 'later',
  RemapUidSize: 'later',
  RemapUsers: 'later',
  UserNS: 'later',
  ShmSize: 'later',
};

function list(field: string) {
  return (entry: Entry, { container }: ContainerTarget): void => {
    for (const word of entry.words()) container.append(field, word, entry.at);
  };
}

/** Keys of a container that say nothing in a pod. */
const OF_THE_POD = ['Network', 'NetworkAlias', 'IP', 'IP6'];

const NEEDS = ['Requires', 'Wants', 'BindsTo', 'After', 'Requisite'];

export class ContainerUnits {
  readonly #units: Units;
  readonly #made = new Map<string, Made>();
  readonly #networks: UnitNetworks;

  constructor(units: Units) {
    this.#units = units;
    this.#networks = new UnitNetworks(units);
  }

  add(): void {
    for (const unit of this.#units.ofType('container')) this.#container(unit);
    for (const made of this.#made.values()) {
      if (!made.unit.last('Container', 'Pod')) this.#networks.join(made.unit, 'Container', made.container);
    }
    for (const pod of this.#units.ofType('pod')) this.#pod(pod);
    for (const made of this.#made.values()) this.#join(made);
    for (const made of this.#made.values()) {
      respectMode(made.container);
      this.#links(made);
    }
  }

  #container(unit: Unit): void {
    const container = this.#units.draft.newResource('containers', this.#units.nameOf(unit), unit.start);
    const target = { container, units: this.#units };
    applyKeys(unit, 'Container', CONTAINER, target, container);
    addHealth(unit, container);
    addLog(unit, container);
    addPull(unit, container, this.#units);
    applyKeys(unit, 'Service', { ...SYSTEMD_ONLY, ...SERVICE } as KeyTable<ContainerTarget>, target, container);
    addRestartDelay(unit, container);
    applyKeys(unit, 'Install', SYSTEMD_ONLY, container, container);
    this.#user(unit, container);
    this.#exclusions(unit, container);
    this.#made.set(unit.name.file, { unit, container });
  }

  #user(unit: Unit, container: ResourceDraft): void {
    const user = unit.last('Container', 'User');
    const group = unit.last('Container', 'Group');
    if (group && !user) container.refuse(group.at, 'Group needs User');
    if (user) container.set('user', group ? `${user.text()}:${group.text()}` : user.text(), user.at);
  }

  /** What Quadlet itself refuses. */
  #exclusions(unit: Unit, container: ResourceDraft): void {
    const has = (...keys: string[]) =>
      keys.map((key) => unit.last('Container', key)).find((entry) => entry !== undefined);
    const signal = has('ReloadSignal');
    if (signal && has('ReloadCmd')) container.refuse(signal.at, 'ReloadCmd and ReloadSignal exclude each other');
    const remap = has('RemapUsers', 'RemapUid', 'RemapGid', 'RemapUidSize');
    const mapping = has('UserNS', 'UIDMap', 'GIDMap', 'SubUIDMap', 'SubGIDMap');
    if (remap && mapping) container.refuse(remap.at, `${remap.key} and ${mapping.key} exclude each other`);
  }

  #members(pod: string): Made[] {
    return [...this.#made.values()].filter(({ unit }) => unit.last('Container', 'Pod')?.text() === pod);
  }

  #pod(pod: Unit): void {
    const members = this.#members(pod.name.file);
    const [first] = members;
    const draft = this.#units.draft;
    if (!first) {
      draft.warn(pod.start, `${pod.name.file} has no containers, so nothing is made of it`);
      return;
    }
    this.#networks.join(pod, 'Pod', first.container);
    const target = { container: first.container, units: this.#units, members };
    applyKeys(pod, 'Pod', POD, target, draft);
    for (const section of ['Unit', 'Install', 'Service']) applyKeys(pod, section, SYSTEMD_ONLY, draft, draft);
  }

  /** Gives the members of a pod the network of the first one, and that one their ports. */
  #join({ unit, container }: Made): void {
    const entry = unit.last('Container', 'Pod');
    if (!entry) return;
    if (!entry.text().endsWith('.pod')) {
      container.refuse(entry.at, `the pod ${entry.text()} is not one of a .pod unit`);
      return;
    }
    if (!this.#units.find(entry.text(), entry)) return;
    for (const { key, at } of OF_THE_POD.flatMap((key) => unit.all('Container', key)))
      container.warn(at, `${key}: the network is that of the pod; write it in ${entry.text()}`);
    const first = this.#members(entry.text())[0]?.container;
    if (!first || first === container) return;
    for (const field of ['ports', 'expose'] as const) {
      for (const item of (container.get(field) ?? []) as readonly string[])
        first.append(field, item, container.placeOf(field));
      container.remove(field);
    }
    const mode = first.get('network');
    container.set('network', isMode(mode) ? mode : sharedNetwork(first.name), entry.at);
  }

  #links({ unit, container }: Made): void {
    const linked = new Set<string>();
    for (const entry of unit.entries.filter(({ section }) => section === 'Unit')) {
      if (!NEEDS.includes(entry.key)) {
        container.warn(entry.at, `${entry.key}: it is for systemd`);
        continue;
      }
      for (const word of entry.words()) {
        const file = isUnitFile(word) ? word : word.replace(/\.service$/, '.container');
        const other = this.#made.get(file);
        if (!other && isUnitFile(word)) this.#units.find(word, entry);
        if (!other && /\.(service|target|socket|mount)$/.test(word))
          container.warn(entry.at, `${entry.key}: ${word} is for systemd`);
        if (other && !linked.has(file)) {
          linked.add(file);
          this.#link(container, other, entry.at);
        }
      }
    }
  }

  #link(container: ResourceDraft, { unit, container: target }: Made, position: SourcePosition): void {
    const [own, theirs] = [networksIn(container), networksIn(target)];
    if (!own.some((network) => !isMode(network) && theirs.includes(network))) {
      // A link needs a network in common; waiting does not. Who shares a network waits for its owner already.
      if (!own.includes(sharedNetwork(target.name))) container.append('dependsOn', target.name, position);
      return;
    }
    // Podman resolves a container's own name and its aliases.
    const podman = unit.last('Container', 'ContainerName')?.text() ?? `systemd-${unit.name.stem}`;
    const aliases = unit.all('Container', 'NetworkAlias').map((entry) => entry.text());
    for (const alias of new Set([target.name, podman, ...aliases])) {
      container.append('links', alias === target.name ? alias : `${target.name}:${alias}`, position);
    }
  }
}
