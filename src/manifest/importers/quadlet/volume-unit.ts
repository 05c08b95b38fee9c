/** .volume units. */
import type { ResourceDraft } from '../draft.ts';
import { addLabels, PODMAN_ONLY } from './podman.ts';
import { applyKeys, type KeyTable } from './rules.ts';
import { SYSTEMD_ONLY } from './systemd.ts';
import type { Unit } from './unit-file.ts';
import { boundDirectory, type Units } from './units.ts';

const VOLUME: KeyTable<ResourceDraft> = {
  Label: addLabels,
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
  ...PODMAN_ONLY,
};

export function addVolume(unit: Unit, units: Units): void {
  if (boundDirectory(unit) !== null) return;
  const volume = units.draft.newResource('volumes', units.nameOf(unit), unit.start);
  applyKeys(unit, 'Volume', VOLUME, volume, volume);
  applyKeys(unit, 'Unit', SYSTEMD_ONLY, volume, volume);
  applyKeys(unit, 'Service', SYSTEMD_ONLY, volume, volume);
  applyKeys(unit, 'Install', SYSTEMD_ONLY, volume, volume);
}
