/** How images come in: where their layers go, and how they are recorded. */
import { join } from 'node:path';
import type { Instance } from '../../../drivers/contract/driver.ts';
import type { GraphDriver } from '../../../drivers/contract/graph.ts';
import type { ImageProgress, LoadContext, LoadedImage } from '../../../images/image.ts';
import type { TrustPolicyFile } from '../../../images/trust/policy.ts';
import { parseImageReference } from '../../../model/image-reference.ts';
import type { ProgressPart, ProgressSink } from '../../../model/progress.ts';
import type { GraphIndex } from '../../../state/images/graph-index.ts';
import type { GroupCommit } from '../../group-commit.ts';
import { imageRecord } from './image-record.ts';
import { imageSize } from './image-size.ts';
import type { ImageWork } from './image-work.ts';

export interface IntakePorts {
  readonly graph: GraphDriver;
  readonly instance: Instance;
  /** Where temporary files go, and the version that is recorded with an image. */
  readonly settings: { readonly tmpDir: string; readonly version: string };
  readonly imageWork: ImageWork;
  readonly images: Pick<GraphIndex, 'get' | 'add'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
}

/** Judges names of images that come from files. */
export interface Admission {
  readonly trustPolicy: Pick<TrustPolicyFile, 'admitFile'>;
}

const shortId = (id: string): string => id.slice(0, 12);
const layerPart = (chainId: string, state: 'exists' | 'unpacking' | 'done'): ProgressPart => ({
  step: 'layer',
  item: shortId(chainId),
  state,
});

function report(progress: ProgressSink, event: ImageProgress): void {
  switch (event.type) {
    case 'reading':
      progress(`reading ${event.what}`, 0, null);
      return;
    case 'manifest': {
      const { digest, size, layers } = event;
      progress(`manifest ${shortId(digest)}, ${layers.length} layers`, 0, null, {
        step: 'manifest',
        item: `sha256:${digest}`,
        size,
        layers: layers.map((layer) => ({ download: shortId(layer.digest), layer: shortId(layer.chainId) })),
      });
      return;
    }
    case 'download':
      progress(`downloading ${shortId(event.digest)}`, event.bytes, event.total, {
        step: 'download',
        item: shortId(event.digest),
      });
      return;
    case 'layer-exists':
      progress(`layer ${shortId(event.chainId)} exists`, 0, null, layerPart(event.chainId, 'exists'));
      return;
    case 'layer-progress':
      progress(`layer ${shortId(event.chainId)}`, event.bytes, event.total, layerPart(event.chainId, 'unpacking'));
      return;
    case 'layer-done':
      // Its bytes are those of the tar, not of what was read.
      progress(`layer ${shortId(event.chainId)} done`, 1, 1, layerPart(event.chainId, 'done'));
      return;
  }
}

/** Where the root directory keeps how to put the tars of its layers together again. */
export function recipesOf({ instance }: Pick<IntakePorts, 'instance'>): string {
  return join(instance.root, 'recipes');
}

export function loadContext(ports: IntakePorts, progress: ProgressSink, signal?: AbortSignal): LoadContext {
  return {
    graph: ports.graph,
    work: ports.imageWork.layers,
    tmpDir: join(ports.settings.tmpDir, 'images'),
    recipes: recipesOf(ports),
    progress: (event) => report(progress, event),
    signal,
  };
}

/** For images of files, which have no registry to ask for signatures: names that the policy wants signed are refused. */
export function archiveContext(
  ports: IntakePorts & Admission,
  progress: ProgressSink,
  signal?: AbortSignal,
): LoadContext {
  const admit = (references: readonly string[]): void => {
    for (const text of references) {
      const reference = parseImageReference(text);
      if (reference.ok) ports.trustPolicy.admitFile(reference.value);
    }
  };
  return { ...loadContext(ports, progress, signal), admit };
}

/** Records an image whose layers are in the graph, durably and without a name. */
export async function recordImage(ports: IntakePorts, image: LoadedImage): Promise<void> {
  if (ports.images.get(image.id) !== undefined) return;
  const record = imageRecord(image, ports.settings.version, await imageSize(ports, image.layers));
  await ports.commits.commit({ files: (batch) => ports.images.add(record, batch) });
}
