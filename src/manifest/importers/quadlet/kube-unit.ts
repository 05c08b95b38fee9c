/** .kube units: Kubernetes files run by Podman. */
import { resolve } from 'node:path';
import { readYaml } from '../../yaml-text.ts';
import { importKubernetes } from '../kube/kube.ts';
import type { Pod } from '../kube/service.ts';
import { respectMode } from '../network-mode.ts';
import { documentParts, type Part } from '../part.ts';
import { addPorts } from './container.ts';
import { UnitNetworks } from './container-networks.ts';
import { applyKeys, type KeyTable } from './rules.ts';
import { SYSTEMD_ONLY } from './systemd.ts';
import type { Entry, Unit } from './unit-file.ts';
import type { Units } from './units.ts';

const KUBE: KeyTable<null> = {
  Yaml: () => {},
  ConfigMap: () => {},
  PublishPort: () => {},
  Network: () => {},
  SetWorkingDirectory: 'no meaning: paths in a Kubernetes file are absolute',
  AutoUpdate: 'later',
  ExitCodePropagation: 'no meaning: each container has its own exit code',
  KubeDownForce: 'no meaning: volumes are kept until they are removed',
  LogDriver: 'later',
  LogOpt: 'later',
  RemapGid: 'later',
  RemapUid: 'later',
  RemapUidSize: 'later',
  RemapUsers: 'later',
  UserNS: 'later',
  ServiceName: 'no meaning: there is no systemd service',
  PodmanArgs: 'no meaning: arguments of Podman are not looked at; see what they do here',
  GlobalArgs: 'no meaning: it is for Podman itself',
  ContainersConfModule: 'no meaning: it configures Podman',
};

function documents(entry: Entry, units: Units): Part[] {
  const { draft, context, files } = units;
  return entry.words().flatMap((word) => {
    const path = resolve(context.baseDir, word);
    const known = files.find(({ file }) => file === path)?.text;
    const read = known === undefined ? context.readFile(path) : null;
    const text = known ?? (read?.ok ? read.bytes.toString('utf8') : null);
    if (text === null) draft.refuse(entry.at, read?.ok === false ? read.message : `${word} cannot be read`);
    return text === null ? [] : documentParts(readYaml(text, path), draft);
  });
}

function addNetworks(unit: Unit, units: Units, { owner, inits }: Pod): void {
  if (owner.get('network') !== undefined) {
    for (const { at } of unit.all('Kube', 'Network')) owner.warn(at, `${owner.name} is on the network of the host`);
    return;
  }
  const networks = new UnitNetworks(units);
  networks.join(unit, 'Kube', owner);
  respectMode(owner);
  for (const init of inits) {
    networks.join(unit, 'Kube', init, { withSettings: false });
    respectMode(init);
  }
}

export function addKube(unit: Unit, units: Units): void {
  const { draft, context } = units;
  applyKeys(unit, 'Kube', KUBE, null, draft);
  for (const section of ['Unit', 'Service', 'Install']) applyKeys(unit, section, SYSTEMD_ONLY, draft, draft);
  const yaml = unit.all('Kube', 'Yaml');
  if (yaml.length === 0) draft.refuse(unit.start, `${unit.name.file} has no Yaml`);
  const directory = unit.last('Kube', 'SetWorkingDirectory');
  if (directory?.text() === 'yaml' && yaml.flatMap((entry) => entry.words()).length > 1) {
    draft.refuse(directory.at, 'SetWorkingDirectory=yaml needs a single Yaml');
  }
  const remap = unit.last('Kube', 'RemapUsers');
  if (remap?.text() === 'manual') draft.refuse(remap.at, 'RemapUsers=manual is not possible for .kube units');
  const parts = [...yaml, ...unit.all('Kube', 'ConfigMap')].flatMap((entry) => documents(entry, units));
  const pods = importKubernetes(parts, context, draft);
  for (const pod of pods) addNetworks(unit, units, pod);
  const first = pods[0]?.owner;
  for (const entry of unit.all('Kube', 'PublishPort')) {
    if (first) addPorts(entry, first);
    else draft.warn(entry.at, 'PublishPort: there is no pod to publish it for');
  }
}
