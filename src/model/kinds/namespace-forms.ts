/** Namespaces that a container may share, besides that of the network: pid, ipc, uts and cgroup of namespaces(7). */
import { z } from 'zod';
import { orNull } from './schema-parts.ts';
import { isReference } from './storage-forms.ts';

export type NamespaceMode =
  /** Of the container alone. */
  | { readonly type: 'own' }
  | { readonly type: 'host' }
  /** Of another container, by its name: `db` or `app/db`. */
  | { readonly type: 'container'; readonly name: string };

const OWN: NamespaceMode = { type: 'own' };
const HOST: NamespaceMode = { type: 'host' };
const SHARED = 'container:';

/** Parses what `pid`, `ipc`, `uts` or `cgroupns` says. */
export function namespaceMode(text: string | null | undefined): NamespaceMode {
  if (text === 'host') return HOST;
  if (text?.startsWith(SHARED)) return { type: 'container', name: text.slice(SHARED.length) };
  return OWN;
}

/** What a manifest says to share a namespace of a container. */
export const sharedNamespace = (container: string): string => SHARED + container;

/** The default word is null, as a field that is left out. */
const mode = (words: readonly string[], standard: string, form: string) =>
  orNull(
    z.string().refine((text) => {
      const { type, ...rest } = namespaceMode(text);
      return type === 'container' ? isReference((rest as { readonly name: string }).name) : words.includes(text);
    }, form),
  ).transform((text) => (text === standard ? null : text));

const alone = () =>
  orNull(z.enum(['host', 'private'], { error: 'expected host or private' })).transform((text) =>
    text === 'private' ? null : text,
  );

export const pidMode = mode(['host', 'private'], 'private', 'expected host, private or container:NAME');
export const ipcMode = mode(
  ['host', 'private', 'shareable', 'none'],
  'private',
  'expected host, private, shareable, none or container:NAME',
);
export const utsMode = alone();
export const cgroupnsMode = alone();

const JOINING_FIELDS = ['pid', 'ipc'] as const;
type JoiningField = (typeof JOINING_FIELDS)[number];

/** Names of the containers whose namespaces it shares. The fields are absent in specs that were stored before there were any. */
export function joinedContainers(
  spec: { readonly [F in JoiningField]?: string | null | undefined },
): readonly { readonly field: JoiningField; readonly name: string }[] {
  return JOINING_FIELDS.flatMap((field) => {
    const found = namespaceMode(spec[field]);
    return found.type === 'container' ? [{ field, name: found.name }] : [];
  });
}
