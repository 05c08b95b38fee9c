/** Volumes of a pod as sources of mounts. */
import type { SourcePosition } from '../../../model/resource.ts';
import type { Draft, ResourceDraft } from '../draft.ts';
import { engineSocketWarning, mountText } from '../mount.ts';
import { safeName } from '../names.ts';
import type { FieldTable, Part } from '../part.ts';
import type { Config } from './config.ts';

type Source =
  | { readonly type: 'volume' | 'bind'; readonly source: string; readonly readOnly: boolean; readonly create?: boolean }
  | { readonly type: 'tmpfs'; readonly size: string | null };

/** A directory for the pod's own use. */
function emptyDirectory(part: Part, name: string, pod: string, draft: Draft): Source {
  if (part.textOf('medium') === 'Memory') {
    return { type: 'tmpfs', size: part.textOf('sizeLimit') ?? null };
  }
  const volume = `${pod}-${name}`.slice(0, 63);
  draft.resource('volumes', volume, part.at);
  draft.warn(part.at, `emptyDir becomes the volume ${volume}, which is kept when the pod is replaced`);
  return { type: 'volume', source: volume, readOnly: false };
}

function hostDirectory(part: Part, draft: Draft): Source {
  const type = part.textOf('type') ?? '';
  if (type === 'FileOrCreate') draft.warn(part.at, `${type}: a file that is missing is waited for and not made`);
  return { type: 'bind', source: part.textOf('path') ?? '/', readOnly: false, create: type === 'DirectoryOrCreate' };
}

const MOUNT: FieldTable<null> = {
  // Read together.
  name: () => {},
  mountPath: () => {},
  subPath: () => {},
  readOnly: () => {},
  mountPropagation: 'later',
  recursiveReadOnly: 'later',
  subPathExpr: 'later',
};

export class PodVolumes {
  readonly #sources = new Map<string, Source | null>();

  constructor(volumes: Part | undefined, pod: string, config: Config, draft: Draft) {
    for (const volume of volumes?.items() ?? []) {
      const name = volume.textOf('name') ?? '';
      this.#sources.set(name, this.#read(volume, safeName(name) ?? 'volume', pod, config, draft));
    }
  }

  #read(volume: Part, name: string, pod: string, config: Config, draft: Draft): Source | null {
    const [kind = 'emptyDir', part = volume] = volume.entries().find(([key]) => key !== 'name') ?? [];
    if (kind === 'emptyDir') return emptyDirectory(part, name, pod, draft);
    if (kind === 'hostPath') return hostDirectory(part, draft);
    if (kind === 'persistentVolumeClaim') {
      const source = config.claim(part.textOf('claimName') ?? '', part.at);
      return { type: 'volume', source, readOnly: part.textOf('readOnly') === 'true' };
    }
    const hint =
      kind === 'configMap' || kind === 'secret'
        ? 'write the content to files and use hostPath'
        : 'mount it on the host and use hostPath';
    draft.refuse(part.keyAt, `volumes of type ${kind} are not in this version; ${hint}`);
    return null;
  }

  mount(part: Part, container: ResourceDraft): void {
    const name = part.textOf('name') ?? '';
    const target = part.textOf('mountPath') ?? '';
    const subPath = part.textOf('subPath') ?? '';
    const source = this.#sources.get(name);
    part.each(MOUNT, null, container);
    if (source === undefined) container.refuse(part.at, `the pod has no volume ${JSON.stringify(name)}`);
    if (!source) return;
    const readOnly = part.textOf('readOnly') === 'true';
    if (source.type === 'tmpfs') {
      const size = source.size === null ? {} : { size: source.size };
      container.append('volumes', { type: 'tmpfs', target, ...size, ...(readOnly && { readOnly }) }, part.at);
    } else this.#bound(source, { target, subPath, readOnly }, part.at, container);
  }

  #bound(
    { type, source, readOnly, create = false }: Exclude<Source, { type: 'tmpfs' }>,
    mount: { target: string; subPath: string; readOnly: boolean },
    at: SourcePosition,
    container: ResourceDraft,
  ): void {
    if (mount.subPath !== '' && type === 'volume') {
      container.refuse(at, 'a part of a volume (subPath) cannot be mounted in this version');
      return;
    }
    const from = mount.subPath === '' ? source : `${source.replace(/\/$/, '')}/${mount.subPath}`;
    const engine = engineSocketWarning(from);
    if (engine !== null) container.warn(at, engine);
    container.append(
      'volumes',
      mountText({ source: from, target: mount.target, readOnly: readOnly || mount.readOnly, create }),
      at,
    );
  }
}
