/** .network units (podman-systemd.unit(5), podman-network-create(1)). */
import type { ResourceDraft } from '../draft.ts';
import { addDriverOption, assumeRouter, setAddress, setDriver, setRange, type Written } from '../network-settings.ts';
import { addLabels, PODMAN_ONLY } from './podman.ts';
import { applyKeys, type KeyTable } from './rules.ts';
import { SYSTEMD_ONLY } from './systemd.ts';
import type { Entry, Unit } from './unit-file.ts';
import type { Units } from './units.ts';

const written = (entry: Entry): Written => ({ text: entry.text(), at: entry.at });

const ofWire = (network: ResourceDraft): boolean => network.get('driver') !== undefined;

/** Options of Podman whose names Docker does not have. The driver is known. */
const OPTIONS: Readonly<Record<string, (network: ResourceDraft, option: Written) => void>> = {
  mode: (network, { text, at }) => {
    if (ofWire(network)) network.set('mode', text, at);
    else if (text !== 'managed') network.refuse(at, `mode=${text.slice(0, 40)}: a bridge is made and removed here`);
  },
  isolate: (network, { text, at }) => {
    if (/^(false|0|no)$/.test(text)) network.warn(at, 'isolate=false: networks never reach each other here');
  },
};

function addOptions(entry: Entry, network: ResourceDraft): void {
  for (const option of entry.words().flatMap((word) => word.split(','))) {
    const [name = '', ...rest] = option.split('=');
    const value = { text: rest.join('='), at: entry.at };
    const own = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (own) own(network, value);
    else addDriverOption(network, name, value);
  }
}

const NETWORK: KeyTable<ResourceDraft> = {
  Label: addLabels,
  NetworkName: 'no meaning: the name is that of the unit, within its app',
  // Read first: other keys mean something by the driver.
  Driver: () => {},
  Subnet: (entry, network) => setAddress(network, 'subnet', written(entry)),
  Gateway: (entry, network) => setAddress(network, 'gateway', written(entry)),
  IPRange: (entry, network) => setRange(network, written(entry)),
  IPv6: (entry, network) => network.set('ipv6', entry.boolean(), entry.at),
  Internal: (entry, network) => network.set('internal', entry.boolean(), entry.at),
  // Of a bridge its own name, else that of the interface that containers are on.
  InterfaceName: (entry, network) => network.set(ofWire(network) ? 'parent' : 'bridgeName', entry.text(), entry.at),
  Options: addOptions,
  // Given to the containers that are on it: container-networks.ts.
  DNS: () => {},
  DisableDNS: (entry, network) => {
    if (entry.boolean()) network.warn(entry.at, 'DisableDNS: containers of a network find each other in any case');
  },
  IPAMDriver: (entry, network) => {
    if (entry.text() === 'host-local') return;
    network.warn(
      entry.at,
      'IPAMDriver: addresses are given out by tsdocker; IPRange keeps them apart from those of others',
    );
  },
  NetworkDeleteOnStop: 'no meaning: a network is there as long as it is declared',
  ...PODMAN_ONLY,
};

/** Podman refuses networks with more gateways or ranges than subnets. */
function checkSubnets(unit: Unit, network: ResourceDraft): void {
  const subnets = unit.all('Network', 'Subnet').length;
  for (const key of ['Gateway', 'IPRange']) {
    const extra = unit.all('Network', key)[subnets];
    if (extra) network.refuse(extra.at, `more of ${key} than of Subnet`);
  }
}

export function addNetwork(unit: Unit, units: Units): void {
  const network = units.draft.newResource('networks', units.networkName(unit), unit.start);
  const driver = unit.last('Network', 'Driver');
  if (driver) setDriver(network, written(driver));
  applyKeys(unit, 'Network', NETWORK, network, network);
  applyKeys(unit, 'Unit', SYSTEMD_ONLY, network, network);
  applyKeys(unit, 'Service', SYSTEMD_ONLY, network, network);
  applyKeys(unit, 'Install', SYSTEMD_ONLY, network, network);
  checkSubnets(unit, network);
  assumeRouter(network);
}
