import { z } from 'zod';
import { field } from '../field.ts';
import { formatReference, parseImageReference } from '../image-reference.ts';
import { parseExpose } from './port-forms.ts';
import { parseSignal } from './runtime-forms.ts';
import {
  absolutePath,
  commandLine,
  hostPath,
  kernelText,
  labels,
  listOf,
  mapOf,
  orNull,
  scalarText,
  shortForm,
  textOrNumber,
} from './schema-parts.ts';
import { parsed } from './short-forms.ts';

/** Where the content of an image comes from. Paths are absolute in a DesiredState. */
export type ImageSource =
  | {
      readonly type: 'archive' | 'layout';
      readonly path: string;
      /** Which image, when there are several: a tag, name:tag or digest. */
      readonly ref: string | null;
    }
  | {
      readonly type: 'pull';
      /** In the form of {@link formatReference}. */
      readonly reference: string;
      /** When the registry is asked: `always` whenever the declaration is new or edited, `missing` if no image of this name is there. */
      readonly policy: PullPolicy;
      /** `os/architecture[/variant]`; null for this machine's. */
      readonly platform: string | null;
    }
  | {
      readonly type: 'build';
      /** Directory of the files that the build sees. */
      readonly context: string;
      /** Relative to the context, or absolute. */
      readonly dockerfile: string;
      /** The text of the Dockerfile, in place of a file. */
      readonly dockerfileInline?: string | undefined;
      /** Stage to build; null for the last. */
      readonly target: string | null;
      readonly args: Readonly<Record<string, string>>;
      /** Further directories, and images as `docker-image://name`, by the name that FROM and --from use. */
      readonly contexts: Readonly<Record<string, string>>;
      /** `os/architecture[/variant]`; null for this machine's. */
      readonly platform: string | null;
      /** Files that `RUN --mount=type=secret` may read, by id. What is in them is no part of the image or its hash. */
      readonly secrets: Readonly<Record<string, string>>;
      readonly network: (typeof BUILD_NETWORKS)[number];
      /** Added to those of the Dockerfile. */
      readonly labels: Readonly<Record<string, string>>;
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly type: 'rootfs'; readonly path: string }
  | { readonly type: 'host'; readonly binaries: readonly string[]; readonly paths: readonly string[] };

/** Network of the commands of a build. */
const BUILD_NETWORKS = ['default', 'none', 'host'] as const;

const PULL_POLICIES = ['missing', 'always', 'never'] as const;
type PullPolicy = (typeof PULL_POLICIES)[number];

const imageReference = () =>
  shortForm(z.string(), (written) => {
    const reference = parseImageReference(written);
    return reference.ok ? parsed(formatReference(reference.value)) : reference;
  });

const platformText = () =>
  z.string().regex(/^[a-z0-9_]+\/[a-z0-9_]+(\/[a-z0-9_]+)?$/, 'expected os/architecture, for example linux/arm64');

const packed = z
  .union([hostPath(), z.strictObject({ path: hostPath(), ref: orNull(scalarText()) })], {
    error: 'expected a path, or path and ref',
  })
  .transform((written) => (typeof written === 'string' ? { path: written, ref: null } : written));

const buildSource = z
  .union(
    [
      hostPath(),
      z.strictObject({
        context: hostPath(),
        dockerfile: hostPath().default('Dockerfile'),
        dockerfileInline: z
          .string()
          .min(1)
          .max(512 * 1024, 'expected at most 512 KiB')
          .optional(),
        target: orNull(scalarText()),
        args: mapOf(kernelText()),
        contexts: mapOf(hostPath()),
        platform: orNull(platformText()),
        secrets: mapOf(hostPath()),
        network: z.enum(BUILD_NETWORKS).default('default'),
        labels: labels(),
        env: mapOf(kernelText()),
      }),
    ],
    {
      error:
        'expected the directory to build, or context, dockerfile, dockerfileInline, target, args, contexts, platform, secrets, network, labels and env',
    },
  )
  .transform((written) =>
    typeof written === 'string'
      ? {
          context: written,
          dockerfile: 'Dockerfile',
          target: null,
          args: {},
          contexts: {},
          platform: null,
          secrets: {},
          network: 'default' as const,
          labels: {},
          env: {},
        }
      : written,
  );

const hostSource = z
  .union(
    [
      z.array(hostPath()).min(1),
      z.strictObject({ binaries: z.array(hostPath()).min(1), paths: listOf(absolutePath()) }),
    ],
    { error: 'expected a list of programs, or binaries and paths' },
  )
  .transform((written) => (Array.isArray(written) ? { binaries: written, paths: [] } : written));

/** What an image says about the containers made from it, where it has no configuration of its own. */
export const imageConfigFields = z.strictObject({
  env: field(mapOf(kernelText()), { doc: 'Environment.', example: { LANG: 'C.UTF-8' }, text: true }),
  entrypoint: field(commandLine(), { doc: 'The program, before `command`.', example: ['/usr/bin/node'], text: true }),
  command: field(commandLine(), { doc: 'Arguments, or the program.', example: ['server.js'], text: true }),
  workingDir: field(orNull(absolutePath()), { doc: 'Directory to start in.', example: '/app' }),
  user: field(orNull(scalarText()), { doc: '`user[:group]`, as names or numbers.', example: '1000:1000', text: true }),
  expose: field(
    listOf(shortForm(textOrNumber(), parseExpose)).transform((lists) => lists.flat()),
    { doc: 'Ports the program listens on.', example: [80] },
  ),
  volumes: field(listOf(absolutePath()), { doc: 'Directories that become anonymous volumes.', example: ['/data'] }),
  labels: field(labels(), {
    doc: 'Labels: names and texts for people and tools.',
    example: { version: '1.2' },
    text: true,
  }),
  stopSignal: field(orNull(shortForm(textOrNumber(), parseSignal)), {
    doc: 'Signal that asks the program to stop.',
    example: 'SIGQUIT',
  }),
});

export const imageFields = z.strictObject({
  pull: field(imageReference().optional(), {
    doc: 'An image of a registry, by tag or, pinned, by digest. Default registry: Docker Hub.',
    example: 'docker.io/library/nginx:1.27',
  }),
  policy: field(z.enum(PULL_POLICIES).optional(), {
    doc: 'When `pull` asks the registry: `missing` (the default) if the host has no image of this name, `always` when the declaration is new or edited, `never`. The image then stays the same until an edit or `tsdocker pull`.',
    example: 'always',
  }),
  platform: field(platformText().optional(), {
    doc: 'Platform of the image that `pull` selects. Default: that of this machine.',
    example: 'linux/arm64',
  }),
  archive: field(packed.optional(), {
    doc: 'A docker-archive or oci-archive tar file, compressed or not. `ref` chooses one of several images in it.',
    example: './nginx.tar',
  }),
  layout: field(packed.optional(), {
    doc: 'An OCI image layout directory. `ref` chooses one of several images in it.',
    example: { path: './layout', ref: 'latest' },
  }),
  build: field(buildSource.optional(), {
    doc: 'A directory with a Dockerfile; or `context` with `dockerfile` (from the context) or `dockerfileInline` (its text), `target`, `args`, `contexts` (directories or `docker-image://name` for `FROM` and `--from`), `platform` (of the base images), `secrets` (files by the id that `RUN --mount=type=secret` names), `network` (`default`, `none`, `host`), `labels` and `env` (added to what the Dockerfile says). `FROM` may name images of the same app. An edit of a file in the context builds the image again; `.dockerignore` applies.',
    example: { context: './app', target: 'web', args: { VERSION: '1.2' } },
    text: true,
  }),
  rootfs: field(hostPath().optional(), {
    doc: 'A directory or tar file whose content becomes the one layer of the image. It is read when the declaration is new or edited; `tsdocker apply --refresh -f FILE` reads it again.',
    example: './rootfs',
  }),
  host: field(hostSource.optional(), {
    doc: 'Programs of this host, with the libraries, CA files and user database they need. `paths` adds files and directories.',
    example: ['node', 'sh'],
  }),
  config: field(imageConfigFields.optional(), {
    doc: 'Configuration of a `rootfs` or `host` image; archives and layouts have their own.',
    example: { command: ['node'], workingDir: '/app' },
  }),
});

type ImageFields = z.output<typeof imageFields>;
export const SOURCES = ['pull', 'build', 'archive', 'layout', 'rootfs', 'host'] as const;

function sourceOf(fields: ImageFields): ImageSource | undefined {
  if (fields.pull !== undefined) {
    return {
      type: 'pull',
      reference: fields.pull,
      policy: fields.policy ?? 'missing',
      platform: fields.platform ?? null,
    };
  }
  if (fields.build) return { type: 'build', ...fields.build };
  if (fields.archive) return { type: 'archive', ...fields.archive };
  if (fields.layout) return { type: 'layout', ...fields.layout };
  if (fields.rootfs !== undefined) return { type: 'rootfs', path: fields.rootfs };
  return fields.host && { type: 'host', ...fields.host };
}

export type ImageConfig = Readonly<z.output<typeof imageConfigFields>>;

export interface ImageSpec {
  readonly source: ImageSource;
  /** Null where the source brings its own. */
  readonly config: ImageConfig | null;
}

/** An image and where it comes from: exactly one source. */
export const imageSchema = imageFields.transform((fields, context): ImageSpec => {
  const refuse = (message: string, path: string[]) => {
    context.addIssue({ code: 'custom', message, path });
    return z.NEVER;
  };
  const written = SOURCES.filter((name) => fields[name] !== undefined);
  const source = sourceOf(fields);
  if (!source || written.length > 1) {
    const message = source ? `${written.join(' and ')} exclude each other` : `one of ${SOURCES.join(', ')} is needed`;
    return refuse(message, source ? [written[1] ?? ''] : []);
  }
  if (source.type === 'build' && source.dockerfileInline !== undefined && source.dockerfile !== 'Dockerfile')
    return refuse('dockerfile and dockerfileInline exclude each other', ['build', 'dockerfileInline']);
  const configurable = source.type === 'rootfs' || source.type === 'host';
  if (fields.config && !configurable) {
    return refuse(`${source.type} images have their own configuration`, ['config']);
  }
  for (const name of ['policy', 'platform'] as const) {
    if (fields[name] !== undefined && source.type !== 'pull') {
      const ofBuild = name === 'platform' && source.type === 'build' ? '; that of a build is in `build`' : '';
      return refuse(`${name} goes with pull${ofBuild}`, [name]);
    }
  }
  return { source, config: configurable ? (fields.config ?? imageConfigFields.parse({})) : null };
});
