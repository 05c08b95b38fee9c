/** .volume and .network units. */
import type { ResourceDraft } from '../draft.ts';
import { driverProblem } from '../network-mode.ts';
import { applyKeys, type KeyTable } from './rules.ts';
import { SYSTEMD_ONLY } from './systemd.ts';
import type { Entry, Unit } from './unit-file.ts';
import { boundDirectory, type Units } from './units.ts';

type Table = KeyTable<ResourceDraft>;

const labels = (entry: Entry, resource: ResourceDraft): void => {
  for (const [name, value] of entry.assignments()) resource.put('labels', name, value ?? '', entry.at);
};

const PODMAN = {
  PodmanArgs: 'no meaning: arguments of Podman are not looked at; see what they do here',
  GlobalArgs: 'no meaning: it is for Podman itself',
  ContainersConfModule: 'no meaning: it configures Podman',
  ServiceName: 'no meaning: there is no systemd service',
} as const;

const VOLUME: Table = {
  Label: labels,
  VolumeName: 'no meaning: the name is that of the unit, within its app',
  Driver: (entry, volume) => {
    if (entry.text() !== 'local') volume.refuse(entry.at, `the volume driver ${entry.text()} is not in this version`);
  },
  Device: (entry, volume) =>
    volume.refuse(entry.at, 'volumes on devices are not in this version; mount it on the host and bind the directory'),
  Image: (entry, volume) => volume.refuse(entry.at, 'volumes made of images are not in this version'),
  Type: 'later',
  Options: 'later',
  Copy: 'no meaning: an empty volume starts with what the image has there',
  User: 'later',
  Group: 'later',
  UID: 'later',
  GID: 'later',
  ...PODMAN,
};

export function addVolume(unit: Unit, units: Units): void {
  if (boundDirectory(unit) !== null) return;
  const volume = units.draft.newResource('volumes', units.nameOf(unit), unit.start);
  applyKeys(unit, 'Volume', VOLUME, volume, volume);
  applyKeys(unit, 'Unit', SYSTEMD_ONLY, volume, volume);
  applyKeys(unit, 'Service', SYSTEMD_ONLY, volume, volume);
  applyKeys(unit, 'Install', SYSTEMD_ONLY, volume, volume);
}

const OPTIONS: ReadonlyMap<string, string> = new Map([
  ['mtu', 'mtu'],
  ['com.docker.network.driver.mtu', 'mtu'],
  ['com.docker.network.bridge.name', 'bridgeName'],
]);

const NETWORK: Table = {
  Label: labels,
  NetworkName: 'no meaning: the name is that of the unit, within its app',
  Driver: (entry, network) => {
    const message = driverProblem(entry.text());
    if (message !== null) network.refuse(entry.at, message);
  },
  Subnet: (entry, network) => {
    if (entry.text().includes(':')) network.later(entry.at, 'an IPv6 subnet');
    else if (network.get('subnet') !== undefined)
      network.warn(entry.at, 'a network has one subnet; this one is left out');
    else network.set('subnet', entry.text(), entry.at);
  },
  Gateway: (entry, network) => {
    if (entry.text().includes(':')) network.later(entry.at, 'an IPv6 gateway');
    else if (network.get('gateway') !== undefined)
      network.warn(entry.at, 'a network has one gateway; this one is left out');
    else network.set('gateway', entry.text(), entry.at);
  },
  Internal: (entry, network) => network.set('internal', entry.boolean(), entry.at),
  InterfaceName: (entry, network) => network.set('bridgeName', entry.text(), entry.at),
  Options: (entry, network) => {
    for (const option of entry.words().flatMap((word) => word.split(','))) {
      const [name = '', value = ''] = option.split('=');
      const field = OPTIONS.get(name);
      if (field === undefined) network.warn(entry.at, `option ${name.slice(0, 60)} is left out`);
      else network.set(field, field === 'mtu' ? Number(value) : value, entry.at);
    }
  },
  IPRange: 'later',
  IPv6: 'later',
  DNS: 'later',
  DisableDNS: 'no meaning: names of the network stand in /etc/hosts',
  IPAMDriver: 'no meaning: addresses are given out by tsdocker',
  NetworkDeleteOnStop: 'no meaning: a network is there as long as it is declared',
  ...PODMAN,
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
  applyKeys(unit, 'Network', NETWORK, network, network);
  applyKeys(unit, 'Unit', SYSTEMD_ONLY, network, network);
  applyKeys(unit, 'Service', SYSTEMD_ONLY, network, network);
  applyKeys(unit, 'Install', SYSTEMD_ONLY, network, network);
  checkSubnets(unit, network);
}
