/** The networks of a .container, .pod or .kube unit: `Network=` with its options, addresses, aliases and name servers. */
import { networkMode, sharedNetwork } from '../../../model/network-mode.ts';
import type { ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { isMode } from '../network-mode.ts';
import type { Entry, Unit } from './unit-file.ts';
import type { Units } from './units.ts';

/** Options of `Network=` that are settings of ours. */
const SETTINGS: Readonly<Record<string, string>> = {
  ip: 'ipv4',
  ip6: 'ipv6',
  mac: 'mac',
  alias: 'aliases',
  interface_name: 'interfaceName',
};

/** `private` is the default bridge; the user-mode networks of Podman have the same use. */
const DEFAULT_MODES = ['bridge', 'private', 'slirp4netns', 'pasta', ''];

type Section = 'Container' | 'Pod' | 'Kube';
type Settings = Record<string, unknown>;

interface Joined {
  readonly entry: Entry;
  /** Null for the default one. */
  readonly network: string | null;
  readonly settings: Settings;
}

function settingsOf(options: string, entry: Entry, container: ResourceDraft): Settings {
  const settings: Settings = {};
  const aliases: string[] = [];
  for (const option of options.split(',')) {
    const [name = '', value = ''] = option.split('=');
    const setting = Object.hasOwn(SETTINGS, name) ? (SETTINGS[name] ?? name) : null;
    if (setting === 'aliases') {
      aliases.push(value);
      settings.aliases = aliases;
    } else if (setting !== null) settings[setting] = value;
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

export class UnitNetworks {
  readonly #units: Units;

  constructor(units: Units) {
    this.#units = units;
  }

  /**
   * Puts a container on the networks of its unit: as `networks` where there are several, or one has settings.
   * @param options without settings where another container has the addresses and names
   */
  join(unit: Unit, section: Section, container: ResourceDraft, { withSettings = true } = {}): void {
    const entries = unit.all(section, 'Network');
    const joined = entries.map((entry) => {
      const [name = '', options = ''] = splitOptions(entry.text());
      const network = this.#networkOf(name, entry, container);
      return { entry, network, settings: withSettings ? settingsOf(options, entry, container) : {} };
    });
    this.#addOwn(unit, section, joined, container);
    const [first] = joined;
    if (!first) return;
    if (joined.length === 1) this.#alone(first, container);
    else for (const one of joined) this.#among(one, container);
    this.#nameServers(unit, section, entries, container);
  }

  /** Addresses and aliases that the unit gives beside its networks. */
  #addOwn(unit: Unit, section: Section, joined: Joined[], container: ResourceDraft): void {
    const aliases = unit.all(section, 'NetworkAlias');
    const addresses = (['IP', 'IP6'] as const).flatMap((key) => unit.last(section, key) ?? []);
    const [place] = [...addresses, ...aliases];
    if (!place) return;
    if (joined.length === 0) joined.push({ entry: place, network: null, settings: {} });
    for (const entry of addresses) {
      if (joined.length > 1) {
        const option = entry.key.toLowerCase();
        container.refuse(entry.at, `${entry.key} needs a single network; write Network=NAME:${option}=${entry.text()}`);
      } else for (const { settings } of joined) settings[SETTINGS[entry.key.toLowerCase()] ?? ''] = entry.text();
    }
    for (const { settings } of aliases.length > 0 ? joined : []) {
      const known = (settings.aliases ?? []) as readonly string[];
      settings.aliases = [...known, ...aliases.map((entry) => entry.text())];
    }
  }

  #alone({ entry, network, settings }: Joined, container: ResourceDraft): void {
    const { ipv4, ...others } = settings;
    const names = Object.keys(others);
    if (names.length > 0 && (network === null || !isMode(network))) {
      this.#among({ entry, network, settings }, container);
      return;
    }
    if (network !== null) container.set('network', network, entry.at);
    if (ipv4 !== undefined) container.set('address', ipv4, entry.at);
    for (const name of names) container.warn(entry.at, `${name} has no meaning with the network ${network}`);
  }

  #among({ entry, network: named, settings }: Joined, container: ResourceDraft): void {
    const network = named ?? 'bridge';
    if (isMode(network)) {
      container.refuse(entry.at, `${network} cannot be combined with other networks`);
      return;
    }
    container.put('networks', network, {}, entry.at);
    for (const [name, value] of Object.entries(settings)) container.putIn('networks', network, name, value, entry.at);
  }

  /** Those of its networks, for who names none. */
  #nameServers(unit: Unit, section: Section, entries: readonly Entry[], container: ResourceDraft): void {
    if (unit.last(section, 'DNS')) return;
    const networks = entries.flatMap((entry) => {
      const [name = ''] = splitOptions(entry.text());
      return this.#units.ofType('network').filter(({ name: { file } }) => file === name);
    });
    const servers = networks.flatMap((network) => network.all('Network', 'DNS'));
    const seen = new Set<string>();
    for (const entry of servers) {
      for (const word of entry.words()) {
        if (!seen.has(word)) container.append('dns', word, entry.at);
        seen.add(word);
      }
    }
  }

  #networkOf(written: string, entry: Entry, container: ResourceDraft): string | null {
    const mode = networkMode(written);
    if (mode.type === 'host' || mode.type === 'none') return written;
    if (DEFAULT_MODES.includes(written)) return null;
    if (mode.type === 'container') return sharedNetwork(safeName(mode.name) ?? 'missing');
    if (written.endsWith('.container')) {
      const unit = this.#units.find(written, entry);
      return unit && sharedNetwork(this.#units.nameOf(unit));
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
}
