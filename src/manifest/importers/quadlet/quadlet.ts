/** Quadlet units (podman-systemd.unit(5)) of one directory as one app. */
import { basename, resolve } from 'node:path';
import { isUnitFile, type NamedText } from '../bundle.ts';
import type { Draft, ImportContext } from '../draft.ts';
import { safeName } from '../names.ts';
import { addBuild } from './build-unit.ts';
import { ContainerUnits } from './containers.ts';
import { addImage } from './image-unit.ts';
import { addKube } from './kube-unit.ts';
import { addNetwork } from './network-unit.ts';
import { reportOtherSections } from './rules.ts';
import { unitName } from './unit-file.ts';
import { Units } from './units.ts';
import { addVolume } from './volume-unit.ts';

/** @param files units, their drop-ins, and YAML files that `.kube` units name. */
export function importQuadlet(files: readonly NamedText[], context: ImportContext, draft: Draft): void {
  const single = isUnitFile(context.file) ? unitName(context.file).prefix : basename(resolve(context.baseDir));
  const name = safeName(single);
  if (name !== null) draft.nameApp(name, draft.start);
  const units = new Units(files, context, draft);
  for (const [type, section] of SECTIONS) {
    for (const unit of units.ofType(type))
      reportOtherSections(unit, [section, 'Unit', 'Service', 'Install', 'Quadlet'], draft);
  }
  for (const unit of units.ofType('volume')) addVolume(unit, units);
  for (const unit of units.ofType('network')) addNetwork(unit, units);
  for (const unit of units.ofType('image')) addImage(unit, units);
  for (const unit of units.ofType('build')) addBuild(unit, units);
  new ContainerUnits(units).add();
  for (const unit of units.ofType('kube')) addKube(unit, units);
}

const SECTIONS = [
  ['container', 'Container'],
  ['pod', 'Pod'],
  ['volume', 'Volume'],
  ['network', 'Network'],
  ['image', 'Image'],
  ['build', 'Build'],
  ['kube', 'Kube'],
] as const;
