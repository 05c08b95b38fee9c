/** ConfigMaps, Secrets and claims of a file, and the environment made of them. */
import type { SourcePosition } from '../../../model/resource.ts';
import type { Draft, ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import type { Part } from '../part.ts';

type Store = 'ConfigMap' | 'Secret';

/** In one pass: an expression tries at each `=`, and there may be a million. */
function withoutPadding(base64: string): string {
  let end = base64.length;
  while (base64[end - 1] === '=') end--;
  return base64.slice(0, end);
}

function decoded(part: Part, draft: Draft): string {
  const text = part.text();
  const bytes = Buffer.from(text, 'base64');
  if (withoutPadding(bytes.toString('base64')) !== withoutPadding(text.replace(/\s/g, ''))) {
    draft.refuse(part.at, 'expected base64');
  }
  return bytes.toString('utf8');
}

function readStore(object: Part, draft: Draft): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const secret = object.textOf('kind') === 'Secret';
  for (const [name, part] of object.get('data')?.entries() ?? [])
    values.set(name, secret ? decoded(part, draft) : part.text());
  for (const [name, part] of object.get('stringData')?.entries() ?? []) values.set(name, part.text());
  const binary = object.get('binaryData');
  if (binary) draft.warn(binary.keyAt, 'binaryData cannot stand in an environment and is left out');
  return values;
}

/** The objects of a file that pods refer to. */
export class Config {
  readonly #stores = new Map<string, ReadonlyMap<string, string>>();
  readonly #draft: Draft;

  constructor(objects: readonly Part[], draft: Draft) {
    this.#draft = draft;
    for (const object of objects) {
      const kind = object.textOf('kind') ?? '';
      const name = object.get('metadata')?.textOf('name') ?? '';
      if (kind === 'ConfigMap' || kind === 'Secret') this.#stores.set(`${kind}/${name}`, readStore(object, draft));
      if (kind === 'PersistentVolumeClaim') this.claim(name, object.at);
    }
  }

  /** The volume of a claim. */
  claim(name: string, position: SourcePosition): string {
    const own = safeName(name) ?? 'claim';
    this.#draft.resource('volumes', own, position);
    return own;
  }

  /** Null when there is none; that is an issue unless it is optional. */
  store(kind: Store, reference: Part): ReadonlyMap<string, string> | null {
    const name = reference.textOf('name') ?? '';
    const found = this.#stores.get(`${kind}/${name}`);
    if (found) return found;
    if (reference.textOf('optional') !== 'true')
      this.#draft.refuse(reference.at, `${kind} ${JSON.stringify(name)} is not in this file`);
    return null;
  }

  value(kind: Store, reference: Part): string | null {
    const store = this.store(kind, reference);
    const key = reference.textOf('key') ?? '';
    const value = store?.get(key);
    if (store && value === undefined && reference.textOf('optional') !== 'true') {
      this.#draft.refuse(reference.at, `${kind} ${reference.textOf('name')} has no ${JSON.stringify(key)}`);
    }
    return value ?? null;
  }
}

/** What a container's own fields say about its pod (the downward API). */
function fieldValue(path: string, pod: { name: string; metadata: Part | undefined }): string | null {
  if (path === 'metadata.name') return pod.name;
  if (path === 'metadata.namespace') return pod.metadata?.textOf('namespace') ?? 'default';
  const label = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  return label ? (pod.metadata?.get(label[1] ?? '')?.textOf(label[2] ?? '') ?? '') : null;
}

/** execve takes no longer text (MAX_ARG_STRLEN, linux/binfmts.h). */
const MAX_TEXT = 131_072;

/**
 * Fills `$(NAME)` with variables that stand before (Kubernetes, "Define dependent environment variables"). Those that would
 * make the text longer than the kernel takes stay as they are.
 */
export function expandVariables(text: string, env: Readonly<Record<string, unknown>>): string {
  let room = MAX_TEXT - text.length;
  return text.replace(/\$\$|\$\(([A-Za-z_][\w.-]*)\)/g, (written, name: string | undefined) => {
    if (name === undefined) return '$';
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (typeof value !== 'string' || value.length > room) return written;
    room -= value.length;
    return value;
  });
}

export class Environment {
  readonly #container: ResourceDraft;
  readonly #config: Config;
  readonly #pod: { name: string; metadata: Part | undefined };

  constructor(container: ResourceDraft, config: Config, pod: { name: string; metadata: Part | undefined }) {
    this.#container = container;
    this.#config = config;
    this.#pod = pod;
  }

  from(part: Part): void {
    for (const item of part.items()) {
      const prefix = item.textOf('prefix') ?? '';
      for (const [kind, key] of [
        ['ConfigMap', 'configMapRef'],
        ['Secret', 'secretRef'],
      ] as const) {
        const reference = item.get(key);
        const store = reference && this.#config.store(kind, reference);
        for (const [name, value] of store ?? []) this.#container.put('env', prefix + name, value, item.at);
        if (store && kind === 'Secret') this.#warnOfSecret(item.at);
      }
    }
  }

  list(part: Part): void {
    for (const item of part.items()) {
      const name = item.textOf('name') ?? '';
      const source = item.get('valueFrom');
      const value = source
        ? this.#valueFrom(source)
        : item.get('value')?.isNothing === false
          ? (item.textOf('value') ?? '')
          : '';
      if (value === null) continue;
      const before = (this.#container.get('env') ?? {}) as Record<string, unknown>;
      this.#container.put('env', name, source ? value : expandVariables(value, before), item.at);
    }
  }

  #valueFrom(source: Part): string | null {
    const map = source.get('configMapKeyRef');
    if (map) return this.#config.value('ConfigMap', map);
    const secret = source.get('secretKeyRef');
    if (secret) {
      this.#warnOfSecret(secret.at);
      return this.#config.value('Secret', secret);
    }
    const path = source.get('fieldRef')?.textOf('fieldPath') ?? '';
    const value = fieldValue(path, this.#pod);
    if (value === null)
      this.#container.warn(source.at, `${path || 'this valueFrom'} has no value here; the variable is left out`);
    return value;
  }

  #warnOfSecret(position: SourcePosition): void {
    this.#container.warn(position, 'the secret becomes plain text; env with fromFile keeps it out of the state');
  }
}
