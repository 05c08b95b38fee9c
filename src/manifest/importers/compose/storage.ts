/** Volumes, secrets and configs of a Compose file as mounts. */
import { PROPAGATIONS, type Propagation } from '../../../model/kinds/short-forms.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import type { Draft, ResourceDraft } from '../draft.ts';
import { engineSocketWarning, isLabelOption, type Mount, mayBeDirectory, mountText, NO_LABELS } from '../mount.ts';
import { safeName } from '../names.ts';
import type { FieldTable, Part } from '../part.ts';
import type { Values } from './loader.ts';
import { pairs } from './pairs.ts';

const HOME = '/root';

/** A path of the host as ours are written. `~` is the home of root: the supervisor runs as root. */
function hostPath(path: string): string {
  if (path === '~' || path.startsWith('~/')) return HOME + path.slice(1);
  return /^(\/|\.{1,2}(\/|$))/.test(path) ? path : `./${path}`;
}

const isPath = (text: string): boolean => /^[./~]/.test(text);

const propagationOf = (words: readonly string[]): Propagation | undefined =>
  PROPAGATIONS.find((known) => words.includes(known));

function addMount(container: ResourceDraft, mount: Mount, position: SourcePosition): void {
  container.append('volumes', mountText(mount), position);
  const engine = engineSocketWarning(mount.source);
  if (engine !== null) container.warn(position, engine);
}

const VOLUME: FieldTable<ResourceDraft> = {
  driver: (part, volume) => {
    if (part.text() !== 'local') volume.refuse(part.at, `the volume driver ${part.text()} is not in this version`);
  },
  driver_opts: (part, volume) => {
    const type = part.textOf('type') ?? '';
    if (type !== '') volume.refuse(part.at, `volumes of type ${type} are not in this version; mount it on the host`);
    else volume.warn(part.keyAt, 'driver_opts: volumes are directories of the supervisor');
  },
  external: (part, volume) => {
    if (part.content.type !== 'mapping' && part.boolean() !== true) return;
    volume.warn(
      part.keyAt,
      'external: released data of the same name is taken over; otherwise the volume starts empty',
    );
    volume.set('adopt', true, part.at);
  },
  labels: (part, volume) => {
    for (const [name, value, at] of pairs(part)) volume.put('labels', name, value, at);
  },
  name: 'no meaning: the name is the key, within its app',
};

/** Directory that a volume with `driver_opts: {o: bind, device: DIR}` stands for. */
function boundDirectory(volume: Part | undefined): string | null {
  const options = volume?.get('driver_opts');
  const bound = /\bbind\b/.test(options?.textOf('o') ?? '');
  return bound ? (options?.textOf('device') ?? null) : null;
}

const SHORT_OPTIONS: Readonly<Record<string, string>> = {
  nocopy: 'an empty volume starts with what the image has there',
  cached: 'it is for other systems than Linux',
  delegated: 'it is for other systems than Linux',
  consistent: 'it is for other systems than Linux',
};

const TMPFS_OPTIONS: FieldTable<{ container: ResourceDraft; mount: Record<string, unknown> }> = {
  size: (part, { mount }) => {
    mount.size = part.text();
  },
  mode: 'later',
};

const ONLY_BIND: FieldTable<ResourceDraft> = {
  // Read with the mount.
  create_host_path: () => {},
  propagation: () => {},
  recursive: 'later',
  selinux: (part, container) => container.warnOnce(part.keyAt, NO_LABELS),
};

const ONLY_VOLUME: FieldTable<ResourceDraft> = {
  nocopy: 'no meaning: an empty volume starts with what the image has there',
  subpath: (part, container) => container.refuse(part.at, 'a part of a volume cannot be mounted in this version'),
  labels: 'no meaning: labels stand with the volume',
};

const KEPT_ELSEWHERE = 'no meaning: it is for systems that keep secrets and configs' as const;

/** A secret or config; where its text is from is read where it is used. */
const DECLARED_FILE: FieldTable<null> = {
  file: () => {},
  content: () => {},
  environment: () => {},
  external: KEPT_ELSEWHERE,
  name: KEPT_ELSEWHERE,
  labels: KEPT_ELSEWHERE,
  driver: KEPT_ELSEWHERE,
  driver_opts: KEPT_ELSEWHERE,
  template_driver: 'later',
};

const SOURCES = ['file', 'content', 'environment'];

type FileSource =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'content'; readonly text: string };

/** A secret or config where it is used. */
interface FileUse {
  readonly name: string;
  readonly target: string | undefined;
  readonly source: FileSource;
}

/** Mounts of one file's services. */
export class Storage {
  readonly #root: Part;
  readonly #values: Values;
  readonly #draft: Draft;

  /** @param values of the project's variables */
  constructor(root: Part, values: Values, draft: Draft) {
    this.#root = root;
    this.#values = values;
    this.#draft = draft;
  }

  /** `source:/target[:options]`. */
  short(part: Part, container: ResourceDraft): void {
    const [first = '', second, options = '', ...more] = part.text().split(':');
    if (more.length > 0 || /^[A-Za-z]$/.test(first)) {
      container.refuse(part.at, `${JSON.stringify(part.text())} is not source:/target[:ro]`);
      return;
    }
    if (second === undefined) {
      addMount(container, { source: null, target: first, readOnly: false }, part.at);
      return;
    }
    const propagation = isPath(first) ? propagationOf(options.split(',')) : undefined;
    const words = options
      .split(',')
      .filter((word) => !['', 'rw', 'ro', 'private', 'rprivate', propagation].includes(word));
    for (const word of words) {
      const known = Object.hasOwn(SHORT_OPTIONS, word) ? SHORT_OPTIONS[word] : 'is left out';
      if (isLabelOption(word)) container.warnOnce(part.at, NO_LABELS);
      else container.warn(part.at, `mount option ${word.slice(0, 60)}: ${known}`);
    }
    const readOnly = options.split(',').includes('ro');
    if (first === '') {
      container.refuse(part.at, 'the source is empty; has a variable in it no value?');
      return;
    }
    const source = isPath(first) ? this.#path(first, part, container) : this.#volume(first, part.at);
    const create = isPath(first) && mayBeDirectory(source, second);
    addMount(container, { source, target: second, readOnly, create, ...(propagation && { propagation }) }, part.at);
  }

  /** A mapping with type, source, target. */
  long(part: Part, container: ResourceDraft): void {
    const type = part.textOf('type') ?? 'volume';
    const target = part.textOf('target') ?? '';
    const source = part.textOf('source');
    const readOnly = part.get('read_only')?.boolean() ?? false;
    const known = new Set(['type', 'source', 'target', 'read_only', type]);
    for (const [key, member] of part.entries()) {
      if (!known.has(key))
        container.warn(member.keyAt, `unknown field ${JSON.stringify(key.slice(0, 80))} is left out`);
    }
    if (type === 'tmpfs') {
      const mount: Record<string, unknown> = { type: 'tmpfs', target };
      part.get('tmpfs')?.each(TMPFS_OPTIONS, { container, mount }, container);
      container.append('volumes', mount, part.at);
    } else if (type === 'bind' && source !== undefined) {
      part.get('bind')?.each(ONLY_BIND, container, container);
      const bind = part.get('bind');
      // Without `bind` Compose says nothing, and the engine makes nothing.
      const wanted = bind?.content.type === 'mapping' && (bind.get('create_host_path')?.boolean() ?? true);
      const path = this.#path(source, part, container);
      const propagation = propagationOf([bind?.textOf('propagation') ?? '']);
      const create = wanted && mayBeDirectory(path, target);
      addMount(container, { source: path, target, readOnly, create, ...(propagation && { propagation }) }, part.at);
    } else if (type === 'volume') {
      part.get('volume')?.each(ONLY_VOLUME, container, container);
      const volume = source === undefined ? null : this.#volume(source, part.at);
      addMount(container, { source: volume, target, readOnly }, part.at);
    } else container.refuse(part.at, `a mount of type ${type} cannot be translated`);
  }

  /** A secret or config as a read-only file. */
  file(kind: 'secrets' | 'configs', part: Part, container: ResourceDraft): void {
    const found = this.#declared(kind, part, container);
    if (found === null) return;
    const { name, target, source } = found;
    const place = target ?? (kind === 'secrets' ? name : `/${name}`);
    const absolute = place.startsWith('/') ? place : `/run/secrets/${place}`;
    if (source.type === 'content') container.append('volumes', { target: absolute, content: source.text }, part.at);
    else {
      const secret = kind === 'secrets';
      addMount(container, { source: source.path, target: absolute, readOnly: true, secret }, part.at);
    }
  }

  /** A secret as a file that the commands of a build may read. */
  buildSecret(part: Part, image: ResourceDraft): void {
    const found = this.#declared('secrets', part, image);
    if (found?.source.type === 'file')
      image.putIn('build', 'secrets', found.target ?? found.name, found.source.path, part.at);
  }

  /** Null when it cannot be translated; a warning says so. */
  #declared(kind: 'secrets' | 'configs', part: Part, resource: ResourceDraft): FileUse | null {
    const short = part.content.type === 'text';
    const name = short ? part.text() : (part.textOf('source') ?? '');
    const declared = this.#root.get(kind)?.get(name);
    const source = declared ? this.#sourceOf(kind, declared) : 'it is not declared';
    if (typeof source === 'string') {
      resource.refuse(part.at, `${kind} ${JSON.stringify(name.slice(0, 80))}: ${source}`);
      return null;
    }
    for (const [option, written] of short ? [] : part.entries()) {
      if (['source', 'target'].includes(option) || option.startsWith('x-')) continue;
      const kept =
        source.type === 'file' ? 'the file keeps the owner and mode it has on the host' : 'the file is of root, 0444';
      const known = ['uid', 'gid', 'mode'].includes(option);
      resource.warn(written.keyAt, known ? `${option}: ${kept}` : `unknown field ${option.slice(0, 80)} is left out`);
    }
    return { name, target: short ? undefined : part.textOf('target'), source };
  }

  /** Where the text of a secret or config is; else why it is unavailable. */
  #sourceOf(kind: 'secrets' | 'configs', declared: Part): FileSource | string {
    const file = declared.textOf('file');
    if (file !== undefined) return { type: 'file', path: hostPath(file) };
    const content = kind === 'configs' ? declared.textOf('content') : undefined;
    if (content !== undefined) return { type: 'content', text: content };
    const variable = declared.textOf('environment');
    const value = variable === undefined ? undefined : this.#values.get(variable);
    if (variable !== undefined && kind === 'secrets')
      return 'a value of the environment would be kept as plain text; write it to a file and use `file`';
    if (variable !== undefined) {
      return value === undefined ? `the variable ${variable} has no value in .env` : { type: 'content', text: value };
    }
    return 'what is kept by another system cannot be reached; write it to a file and use `file`';
  }

  /** Volumes that no service mounts are declared anyway. */
  declareAll(): void {
    for (const [name, volume] of this.#root.get('volumes')?.entries() ?? []) {
      if (boundDirectory(volume) === null) this.#volume(name, volume.keyAt);
    }
    for (const kind of ['secrets', 'configs'] as const) {
      for (const [, declared] of this.#root.get(kind)?.entries() ?? []) {
        if (!declared.isNothing) declared.each(DECLARED_FILE, null, this.#draft);
        const [first, second] = SOURCES.filter((source) => declared.get(source)?.isNothing === false);
        if (second !== undefined) this.#draft.refuse(declared.keyAt, `${first} and ${second} exclude each other`);
      }
    }
  }

  #path(path: string, part: Part, container: ResourceDraft): string {
    if (path.startsWith('~')) container.warn(part.at, `~ becomes ${HOME}`);
    return hostPath(path);
  }

  #volume(name: string, position: SourcePosition): string {
    const declared = this.#root.get('volumes')?.get(name);
    const directory = boundDirectory(declared);
    if (directory !== null) return hostPath(directory);
    const own = safeName(name);
    if (own === null || !declared) {
      this.#draft.refuse(position, `there is no volume ${JSON.stringify(name)}`);
      return own ?? 'volume';
    }
    if (this.#draft.find('volumes', own)) return own;
    const volume = this.#draft.resource('volumes', own, declared?.keyAt ?? position);
    if (declared && !declared.isNothing) declared.each(VOLUME, volume, volume);
    return own;
  }
}
