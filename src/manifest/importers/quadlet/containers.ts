/** .container and .pod units: containers, the networks they are on, and what they need of each other. */
import { networkMode, sharedNetwork } from '../../../model/network-mode.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import { isUnitFile } from '../bundle.ts';
import type { ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { isMode, networksIn, respectMode } from '../network-mode.ts';
import { addPorts, CONTAINER, type ContainerTarget, SERVICE } from './container.ts';
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
  Network: () => {},
  NetworkAlias: 'no meaning: containers are found by their names; others resolve along links only',
  AddHost: list('extraHosts'),
  DNS: list('dns'),
  DNSSearch: list('dnsSearch'),
  HostName: (entry, { container }) => container.set('hostname', entry.text(), entry.at),
  IP: (entry, { container }) => container.set('address', entry.text(), entry.at),
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
  IP6: 'later',
  ShmSize: 'later',
};

function list(field: string) {
  return (entry: Entry, { container }: ContainerTarget): void => {
    for (const word of entry.words()) container.append(field, word, entry.at);
  };
}

const NEEDS = ['Requires', 'Wants', 'BindsTo', 'After', 'Requisite'];

/** `private` is the default bridge; the user-mode networks of Podman have the same use. */
const DEFAULT_MODES = ['bridge', 'private', 'slirp4netns', 'pasta', ''];

export class ContainerUnits {
  readonly #units: Units;
  readonly #made = new Map<string, Made>();
  /** Units that another one links to: their aliases are those of the links. */
  readonly #linked = new Set<string>();

  constructor(units: Units) {
    this.#units = units;
  }

  add(): void {
    for (const unit of this.#units.ofType('container')) this.#container(unit);
    for (const made of this.#made.values()) {
      if (!made.unit.last('Container', 'Pod')) this.#network(made.unit.all('Container', 'Network'), made.container);
    }
    for (const pod of this.#units.ofType('pod')) this.#pod(pod);
    for (const made of this.#made.values()) this.#join(made);
    for (const made of this.#made.values()) {
      respectMode(made.container);
      this.#links(made);
    }
    for (const made of this.#made.values()) this.#unlinked(made);
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

  /** Puts a container on the networks it names: as `networks` where there are several, or a single one has settings. */
  #network(entries: readonly Entry[], container: ResourceDraft): void {
    const joined = entries.map((entry) => {
      const [written = '', options = ''] = splitOptions(entry.text());
      return {
        entry,
        network: this.#networkOf(written, entry, container),
        settings: settingsOf(options, entry, container),
      };
    });
    const [first] = joined;
    if (!first) return;
    const { ip, ...others } = first.settings;
    if (joined.length === 1 && Object.keys(others).length === 0) {
      if (first.network !== null) container.set('network', first.network, first.entry.at);
      if (ip !== undefined) container.set('address', ip, first.entry.at);
      return;
    }
    for (const { entry, network, settings } of joined) {
      const name = network ?? 'bridge';
      if (isMode(name)) container.refuse(entry.at, `${name} cannot be combined with other networks`);
      else container.put('networks', name, {}, entry.at);
      for (const [option, value] of Object.entries(settings)) {
        if (!isMode(name)) container.putIn('networks', name, NETWORK_OPTIONS[option] ?? option, value, entry.at);
      }
    }
  }

  #networkOf(written: string, entry: Entry, container: ResourceDraft): string | null {
    const mode = networkMode(written);
    if (mode.type === 'host' || mode.type === 'none') return written;
    if (DEFAULT_MODES.includes(written)) return null;
    const shared = written.endsWith('.container') ? written : null;
    if (shared !== null || mode.type === 'container') {
      if (shared !== null && !this.#units.find(shared, entry)) return null;
      const ofUnit = shared === null ? undefined : this.#made.get(shared)?.container.name;
      const name = shared === null && mode.type === 'container' ? safeName(mode.name) : ofUnit;
      return sharedNetwork(name ?? 'missing');
    }
    if (written.endsWith('.network')) {
      const unit = this.#units.find(written, entry);
      return unit && this.#units.networkName(unit);
    }
    const name = /^(ns:|\/)/.test(written) ? null : safeName(written);
    if (name === null) {
      container.refuse(entry.at, `the network ${JSON.stringify(written)} cannot be translated`);
      return null;
    }
    container.warn(entry.at, `the network ${name} is made for this app; one of another app is \`app/name\``);
    this.#units.draft.resource('networks', name, entry.at);
    return name;
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
    this.#network(pod.all('Pod', 'Network'), first.container);
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

  /** Aliases without a note. */
  #unlinked({ unit, container }: Made): void {
    if (this.#linked.has(unit.name.file)) return;
    for (const entry of unit.all('Container', 'NetworkAlias')) {
      container.warn(entry.at, `${entry.text()} resolves only for those that have this unit under Requires or After`);
    }
  }

  #link(container: ResourceDraft, { unit, container: target }: Made, position: SourcePosition): void {
    const [own, theirs] = [networksIn(container), networksIn(target)];
    if (!own.some((network) => !isMode(network) && theirs.includes(network))) {
      // A link needs a network in common; waiting does not. Who shares a network waits for its owner already.
      if (!own.includes(sharedNetwork(target.name))) container.append('dependsOn', target.name, position);
      return;
    }
    this.#linked.add(unit.name.file);
    // Podman resolves a container's own name and its aliases.
    const podman = unit.last('Container', 'ContainerName')?.text() ?? `systemd-${unit.name.stem}`;
    const aliases = unit.all('Container', 'NetworkAlias').map((entry) => entry.text());
    for (const alias of new Set([target.name, podman, ...aliases])) {
      container.append('links', alias === target.name ? alias : `${target.name}:${alias}`, position);
    }
  }
}

/** Options of `Network=` that are settings of ours. */
const NETWORK_OPTIONS: Readonly<Record<string, string>> = {
  ip: 'ipv4',
  ip6: 'ipv6',
  mac: 'mac',
  alias: 'aliases',
  interface_name: 'interfaceName',
};

function settingsOf(options: string, entry: Entry, container: ResourceDraft): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  const aliases: string[] = [];
  for (const option of options.split(',')) {
    const [name = '', value = ''] = option.split('=');
    if (name === 'alias') {
      aliases.push(value);
      settings.alias = aliases;
    } else if (Object.hasOwn(NETWORK_OPTIONS, name)) settings[name] = value;
    else if (name !== '') container.warn(entry.at, `network option ${option.slice(0, 60)} is left out`);
  }
  return settings;
}

/** `name:options`, where `container:NAME` is a name. */
function splitOptions(text: string): string[] {
  if (/^(container|ns):/.test(text)) return [text];
  const colon = text.indexOf(':');
  return colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
}
