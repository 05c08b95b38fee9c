/** Mounts in the three forms that a body has them in: Binds, Mounts and Tmpfs, and the anonymous volumes besides. */
import { PROPAGATIONS, type Propagation } from '../../../model/kinds/short-forms.ts';
import { normalPath } from '../../../model/kinds/storage-forms.ts';
import { IMPERATIVE_APP, type ResourceKey, resourceKey } from '../../../model/resource.ts';
import type { ContainerBody, HostConfigBody, MountBody } from '../container-body.ts';
import { type CreateContext, containerOf, referenceTo, refuse, type Section } from '../context.ts';
import { checkTarget, parseBind } from './bind.ts';
import { tmpfsMount, tmpfsOptions } from './tmpfs.ts';
import { checkVolumeDriver, checkVolumeName } from './volume-name.ts';

/** A named volume that has to be made. */
export interface NewVolume {
  readonly key: ResourceKey;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface MountsSection extends Section {
  /** Volume key by mount target. */
  readonly volumes: Readonly<Record<string, ResourceKey>>;
  readonly newVolumes: readonly NewVolume[];
  readonly volumesFrom: readonly ResourceKey[];
}

/** One mount as a specification writes it. */
interface Mount {
  readonly target: string;
  readonly written: Readonly<Record<string, unknown>>;
  readonly volume?: NewVolume;
}

/** Sockets are made by who listens on them: in the place of one that is missing no directory is put. */
const isSocket = (path: string): boolean => /\.sock(et)?$/.test(path);

interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly create: boolean;
  readonly propagation: Propagation | null;
}

/** Bound as it is at the moment: what is read-only would otherwise count as declared content. */
function bindMount({ source, target, readOnly, create, propagation }: Bind): Mount {
  const made = create && !isSocket(source) && { create: true };
  const shared = propagation !== null && { propagation };
  return { target, written: { source, target, ...(readOnly && { readOnly, watch: false }), ...made, ...shared } };
}

interface VolumeOf {
  readonly name: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Whether it starts with the content of the image. */
  readonly copy: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

function volumeMount({ name, target, readOnly, copy, labels = {} }: VolumeOf, context: CreateContext): Mount {
  const written = { target, ...(readOnly && { readOnly }), ...(!copy && { copy }) };
  if (name === '') return { target, written };
  checkVolumeName(name);
  const key = context.volume(name) ?? resourceKey('volume', IMPERATIVE_APP, name);
  return {
    target,
    written: { source: referenceTo(key), ...written },
    volume: { key, name, labels },
  };
}

function ofBinds({ Binds, VolumeDriver }: HostConfigBody, context: CreateContext): Mount[] {
  return Binds.map((text) => {
    const { source, target, readOnly, copy, propagation } = parseBind(text);
    if (source?.startsWith('/'))
      return bindMount({ source: normalPath(source), target, readOnly, create: true, propagation });
    checkVolumeDriver(VolumeDriver, {}, source ?? '');
    return volumeMount({ name: source ?? '', target, readOnly, copy }, context);
  });
}

const invalid = (type: string, message: string): never => refuse(`invalid mount config for type "${type}": ${message}`);

function checkOptions(mount: MountBody, minor: number): void {
  const options = {
    bind: ['BindOptions', mount.BindOptions],
    volume: ['VolumeOptions', mount.VolumeOptions],
    tmpfs: ['TmpfsOptions', mount.TmpfsOptions],
    image: ['ImageOptions', mount.ImageOptions],
  } as const;
  // Older clients send all of them.
  if (minor < 42) return;
  for (const [type, [name, given]] of Object.entries(options)) {
    if (type !== mount.Type && given !== undefined)
      refuse(`${name} must not be specified on mount type "${mount.Type}"`);
  }
}

function ofBind(mount: MountBody, target: string, context: CreateContext): Mount {
  const { Source, ReadOnly, BindOptions: options } = mount;
  if (Source === '') invalid('bind', 'field Source must not be empty');
  if (!Source.startsWith('/')) invalid('bind', `invalid mount path: '${Source}' mount path must be absolute`);
  const asked = options?.Propagation ?? '';
  const propagation = PROPAGATIONS.find((known) => known === asked) ?? null;
  if (propagation === null && !['', 'private', 'rprivate'].includes(asked))
    invalid('bind', `invalid propagation mode: ${asked}`);
  if (options?.NonRecursive) invalid('bind', 'NonRecursive is not supported: mounts below the source are bound too');
  const source = normalPath(Source);
  const create = options?.CreateMountpoint === true;
  if (!create && !context.exists(source)) invalid('bind', `bind source path does not exist: ${Source}`);
  return bindMount({ source, target, readOnly: ReadOnly, create, propagation });
}

function ofVolume(mount: MountBody, target: string, context: CreateContext): Mount {
  const { Source, ReadOnly, VolumeOptions: options } = mount;
  const subpath = options?.Subpath ?? '';
  if (subpath.startsWith('/') || subpath.split('/').includes('..'))
    invalid('volume', 'subpath must be a relative path within the volume');
  if (subpath !== '') invalid('volume', 'Subpath is not supported: a volume is mounted as a whole');
  checkVolumeDriver(options?.DriverConfig?.Name ?? '', options?.DriverConfig?.Options ?? {}, Source);
  const copy = options?.NoCopy !== true;
  return volumeMount({ name: Source, target, readOnly: ReadOnly, copy, labels: options?.Labels ?? {} }, context);
}

function ofMounts({ Mounts }: HostConfigBody, context: CreateContext): Mount[] {
  return Mounts.map((mount) => {
    const { Type, Target } = mount;
    checkOptions(mount, context.minor);
    if (!['bind', 'volume', 'tmpfs'].includes(Type))
      invalid(Type, Type === 'image' ? 'images are not mounted' : 'mount type unknown');
    if (Target === '') invalid(Type, 'field Target must not be empty');
    const target = checkTarget(Target, (message) => invalid(Type, message));
    if (Type === 'bind') return ofBind(mount, target, context);
    if (Type === 'volume') return ofVolume(mount, target, context);
    if (mount.Source !== '') invalid('tmpfs', 'field Source must not be specified');
    return { target, written: tmpfsMount(target, mount.ReadOnly, mount.TmpfsOptions) };
  });
}

function ofTmpfs({ Tmpfs }: HostConfigBody): Mount[] {
  return Object.entries(Tmpfs).map(([path, options]) => {
    const target = checkTarget(path, refuse);
    return { target, written: { target, ...tmpfsOptions(options) } };
  });
}

function volumesFrom({ VolumesFrom }: HostConfigBody, context: CreateContext) {
  return VolumesFrom.map((text) => {
    if (text === '') refuse('volumes-from specification cannot be an empty string');
    const [name = '', mode = 'rw', ...more] = text.split(':');
    // Labels of SELinux, which no source has here.
    const access = mode.split(',').filter((word) => word !== 'z' && word !== 'Z');
    if (more.length > 0 || access.length > 1 || !['ro', 'rw', undefined].includes(access[0]))
      refuse(`invalid mode: ${[mode, ...more].join(':')}`);
    const { key, spec } = containerOf(context, name);
    return { key, text: `${referenceTo(key)}:${access[0] ?? 'rw'}`, targets: spec.volumes.map(({ target }) => target) };
  });
}

/** The order counts nowhere: no two mounts have one target, and what is taken from other containers comes last. */
export function mountsSection(body: ContainerBody, context: CreateContext): MountsSection {
  const { HostConfig } = body;
  const named = [...ofBinds(HostConfig, context), ...ofMounts(HostConfig, context), ...ofTmpfs(HostConfig)];
  const targets = new Set<string>();
  for (const { target } of named) {
    if (targets.has(target)) refuse(`Duplicate mount point: ${target}`);
    targets.add(target);
  }
  const taken = volumesFrom(HostConfig, context);
  for (const target of taken.flatMap((from) => from.targets)) targets.add(target);
  const anonymous = new Set(body.Volumes.map((path) => checkTarget(path, refuse)));
  const free = [...anonymous].filter((target) => !targets.has(target));
  const all = [...named, ...free.map((target): Mount => ({ target, written: { target } }))];
  const used = all.flatMap(({ target, volume }) => (volume ? [{ target, volume }] : []));
  const missing = new Map(
    used.filter(({ volume }) => context.volume(volume.name) === null).map(({ volume }) => [volume.key, volume]),
  );
  return {
    written: {
      ...(all.length > 0 && { volumes: all.map(({ written }) => written) }),
      ...(taken.length > 0 && { volumesFrom: taken.map(({ text }) => text) }),
    },
    volumes: Object.fromEntries(used.map(({ target, volume }) => [target, volume.key])),
    newVolumes: [...missing.values()],
    volumesFrom: taken.map(({ key }) => key),
  };
}
