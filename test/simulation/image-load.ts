/** The op image.load without archives: a source is a path whose content has a version. Steps as in ops/images/image-load.ts. */

import type { Parts } from '../../src/composition/ports/op-ports.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import type { OpOf } from '../../src/reconcile/op.ts';
import { desiredOf } from '../../src/reconcile/ops/declared.ts';
import { imageName } from '../../src/reconcile/ops/images/image-name.ts';
import { imageRecord } from '../../src/reconcile/ops/images/image-record.ts';
import { mintId } from '../../src/reconcile/plan/order/mint.ts';

/** Version of the content by path; a path without one is not there. */
export type Sources = ReadonlyMap<string, number>;

const CONFIG = {
  env: [],
  entrypoint: null,
  cmd: ['run'],
  workingDir: '',
  user: '',
  exposedPorts: ['80/tcp'],
  labels: {},
  stopSignal: null,
};

const HEALTHCHECK = { Test: ['CMD', 'probe'], Interval: 5e9, Retries: 2, StartPeriod: 2e9 };

export async function loadSimImage(
  parts: Pick<Parts, 'desired' | 'graph' | 'commits' | 'images' | 'repositories' | 'resources'>,
  op: OpOf<'image.load'>,
  sources: Sources,
): Promise<void> {
  const desired = desiredOf(parts, 'image', op.key);
  const { source } = desired.spec;
  const path = 'path' in source ? source.path : '';
  const version = sources.get(path);
  if (version === undefined)
    throw new TsdError('TSD_IMAGE_MISSING', `${path} does not exist`, { class: 'precondition' });
  const base = { chainId: mintId('base'), diffId: mintId('base'), parent: null, size: 1 };
  const top = mintId(path, String(version));
  const layers = [base, { chainId: top, diffId: top, parent: base.chainId, size: 1 }];
  for (const { chainId, parent } of layers) await parts.graph.createLayer(chainId, parent, () => Promise.resolve());
  const image = {
    id: mintId('image', path, String(version)),
    config: { ...CONFIG, volumes: path.includes('anonymous') ? ['/anonymous'] : [] },
    architecture: 'amd64',
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    references: [],
    layers,
    topLayer: top,
    configJson: path.includes('probed') ? JSON.stringify({ config: { Healthcheck: HEALTHCHECK } }) : '{}',
  };
  await parts.commits.commit({ files: (batch) => parts.images.add(imageRecord(image, '0', 2), batch) });
  await parts.repositories.set(imageName(desired), image.id, true);
  const { specHash } = desired;
  const sourceFingerprint = String(version);
  parts.resources.setImage({ key: op.key, specHash, imageId: image.id, sourceFingerprint, bases: null });
}
