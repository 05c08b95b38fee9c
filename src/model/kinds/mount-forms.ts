/** How a mount of a container is written. */
import { z } from 'zod';
import { parseReaction } from './runtime-forms.ts';
import { shortForm, textOrNumber } from './schema-parts.ts';
import { type MissingDirectory, PROPAGATIONS, parseBytes, type TmpfsOptions, type VolumeMount } from './short-forms.ts';
import { parseDirectoryMode, parseMount, parseMountSource, parseOwner, parseTarget } from './storage-forms.ts';

export const reaction = () => shortForm(z.string(), parseReaction);

/** As mkdir makes one for root. */
const PLAIN_DIRECTORY: MissingDirectory = { uid: 0, gid: 0, mode: 0o755 };

const create = z.union(
  [
    z.boolean().transform((wanted) => (wanted ? PLAIN_DIRECTORY : undefined)),
    z
      .strictObject({
        owner: shortForm(textOrNumber().transform(String), parseOwner).optional(),
        mode: shortForm(textOrNumber().transform(String), parseDirectoryMode).optional(),
      })
      .transform(
        ({ owner, mode = PLAIN_DIRECTORY.mode }): MissingDirectory => ({ ...PLAIN_DIRECTORY, ...owner, mode }),
      ),
  ],
  { error: 'expected true, or a mapping with owner and mode' },
);

/** A manifest with all its files has at most 1 MiB. */
const content = z.string().max(512 * 1024, 'expected at most 512 KiB; bind a larger file');

const mountObject = z.strictObject({
  type: z
    .literal('tmpfs', {
      error:
        'only tmpfs is a type to write; leave it out: a path as the source (/srv, ./conf) is a bind, a name a volume',
    })
    .optional(),
  source: z.string().optional(),
  target: shortForm(z.string(), parseTarget),
  readOnly: z.boolean().default(false),
  size: shortForm(textOrNumber(), parseBytes).optional(),
  onChange: reaction().optional(),
  watch: z.boolean().optional(),
  secret: z.boolean().optional(),
  create: create.optional(),
  content: content.optional(),
  mode: shortForm(textOrNumber().transform(String), parseDirectoryMode).optional(),
  owner: shortForm(textOrNumber().transform(String), parseOwner).optional(),
  exec: z.boolean().optional(),
  copy: z.boolean().optional(),
  propagation: z.enum(['private', 'rprivate', ...PROPAGATIONS]).optional(),
});

type WrittenMount = z.output<typeof mountObject>;

/** Members that say something of another source than the text itself. */
const OF_TMPFS = ['size', 'mode', 'owner', 'exec'] as const;
const NOT_WITH_CONTENT = [
  'type',
  'source',
  'onChange',
  'watch',
  'secret',
  'create',
  'copy',
  'propagation',
  ...OF_TMPFS,
] as const;

/** A file of the manifest's own text. */
function contentMount({ target, content: text = '', ...others }: WrittenMount, refuse: Refuse): VolumeMount {
  const other = NOT_WITH_CONTENT.find((member) => others[member] !== undefined);
  if (other !== undefined) refuse(`content is the whole file; ${other} has no meaning with it`, other);
  return { type: 'content', source: null, target, readOnly: true, sizeBytes: null, content: text };
}

function tmpfsMount({ target, readOnly, size, mode, owner, exec }: WrittenMount): VolumeMount {
  const options: TmpfsOptions = {
    ...(mode !== undefined && { mode }),
    ...(owner && { owner }),
    ...(exec === true && { exec }),
  };
  const tmpfs = Object.keys(options).length > 0 && { tmpfs: options };
  return { type: 'tmpfs', source: null, target, readOnly, sizeBytes: size ?? null, ...tmpfs };
}

/** The default is left out. */
function propagationOf({ propagation }: WrittenMount): Pick<VolumeMount, 'propagation'> {
  if (propagation === undefined || propagation === 'private' || propagation === 'rprivate') return {};
  return { propagation };
}

type Refuse = (message: string, member: string) => void;

/** `source:target[:ro]` or a mapping. */
export const mount = z.union(
  [
    shortForm(z.string(), parseMount),
    mountObject.transform((written, context): VolumeMount => {
      const refuse: Refuse = (message, member) => context.addIssue({ code: 'custom', message, path: [member] });
      if (written.content !== undefined) return contentMount(written, refuse);
      const { target, readOnly } = written;
      const tmpfs = written.type === 'tmpfs';
      const source = written.source === undefined ? null : parseMountSource(written.source);
      if (tmpfs && source) refuse('a tmpfs has no source', 'source');
      else if (source && !source.ok) refuse(source.message, 'source');
      const ofTmpfs = tmpfs ? undefined : OF_TMPFS.find((member) => written[member] !== undefined);
      if (ofTmpfs !== undefined) refuse(`only a tmpfs has ${ofTmpfs === 'size' ? 'a size' : ofTmpfs}`, ofTmpfs);
      const { onChange, watch, secret } = written;
      const binds = !tmpfs && source?.ok === true && source.value.type === 'bind';
      for (const member of ['onChange', 'watch'] as const) {
        if (written[member] !== undefined && !(binds && readOnly))
          refuse('only a file bound with readOnly is watched', member);
      }
      if (secret === true && !(binds && readOnly)) refuse('only a file bound with readOnly is a secret', 'secret');
      if (written.create !== undefined && !binds) refuse('only the directory of a bind can be created', 'create');
      if (written.propagation !== undefined && !binds) refuse('only the mounts below a bind propagate', 'propagation');
      const volume = !tmpfs && (source === null || (source.ok && source.value.type === 'volume'));
      if (written.copy !== undefined && !volume) refuse('only a volume starts with the content of the image', 'copy');
      if (tmpfs) return tmpfsMount(written);
      const from = source?.ok ? source.value : { type: 'volume' as const, source: null };
      const content = {
        ...(onChange !== undefined && { onChange }),
        ...(watch !== undefined && { watch }),
        ...(secret === true && { secret }),
      };
      const made = written.create && { create: written.create };
      const bare = written.copy === false && { copy: false as const };
      const shared = propagationOf(written);
      return { ...from, target, readOnly, sizeBytes: null, ...content, ...made, ...bare, ...shared };
    }),
  ],
  { error: 'expected source:target[:ro], or a mapping with target' },
);
