/** Requested builds: by a manifest, a command line or an API request. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { Beneath } from '../../../ffi/files/beneath.ts';
import { buildImage } from '../../../images/build/build.ts';
import { unpackArchive } from '../../../images/build/files/local-archive.ts';
import type { SourceTree } from '../../../images/build/files/source-tree.ts';
import type { BuildNetwork, BuildReporter, NamedContext, Permission, RunLimits } from '../../../images/build/host.ts';
import type { LoadedImage } from '../../../images/image.ts';
import type { Credentials } from '../../../images/registry/auth-file.ts';
import { TsdError, toTsdError } from '../../../model/errors/errors.ts';
import type { ProgressSink } from '../../../model/progress.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { IGNORE_NOTHING, ignoreFileNames, parseIgnoreFile } from '../../../model/text/ignore-file.ts';
import { recordImage } from '../images/image-intake.ts';
import { type BuildPorts, buildHost } from './build-host.ts';

export interface BuildOrder {
  readonly context:
    | { readonly type: 'directory' | 'archive' /** Absolute. */; readonly path: string }
    /** The Dockerfile is all there is. */
    | { readonly type: 'none' };
  readonly dockerfile: /** Absolute, or relative to the context. */
  { readonly type: 'path'; readonly path: string } | { readonly type: 'text'; readonly text: string };
  /** Directories (absolute paths) and images (`docker-image://name`) by the name that FROM and --from use. */
  readonly contexts: Readonly<Record<string, string>>;
  readonly args: Readonly<Record<string, string>>;
  /** Added to what the Dockerfile says. */
  readonly labels: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly target: string | null;
  readonly platform: string | null;
  readonly network: BuildNetwork;
  /** What instructions may ask for beyond that. */
  readonly allow: readonly Permission[];
  readonly noCache: boolean;
  /** Null for none. */
  readonly limits: RunLimits | null;
  /** `name:address` */
  readonly extraHosts: readonly string[];
  /** Images of registries are looked up there also where they are on this host. */
  readonly pull: boolean;
  /** Logins by registry; of others, those of the supervisor. */
  readonly logins: Readonly<Record<string, Credentials>>;
  /** Absolute paths of files by the id of the secret. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The declared image that is built: FROM may name the others of its app. Null for an undeclared build. */
  readonly declared: ResourceKey | null;
}

const MAX_DOCKERFILE_BYTES = 1024 ** 2;
const MAX_SECRET_BYTES = 1024 ** 2;
const IMAGE_SCHEME = 'docker-image://';

/**
 * Builds and records an image, without a name. @throws TSD_BUILD_CONTEXT for what cannot be read, and what
 * {@link buildImage} throws.
 */
export async function carryOut(
  ports: BuildPorts,
  order: BuildOrder,
  report: BuildReporter,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<LoadedImage> {
  const host = buildHost(ports, { own: order.declared, fresh: order.pull, logins: order.logins }, progress);
  const sourceDateEpoch = epochOf(order.args);
  return host.withDirectory(async (scratch) => {
    const opened: Beneath[] = [];
    const open = (path: string, what: string): Beneath => {
      const files = openContext(path, what);
      opened.push(files);
      return files;
    };
    try {
      const files = open(await contextDirectory(order.context, scratch), 'build context');
      const dockerfile = readDockerfileText(order, files);
      const contexts = new Map(
        Object.entries(order.contexts).map(([name, where]): [string, NamedContext] => {
          if (where.startsWith(IMAGE_SCHEME)) return [name, { type: 'image', name: where.slice(IMAGE_SCHEME.length) }];
          return [
            name,
            { type: 'files', tree: contextTree(open(where, `build context ${name}`), null, `build context ${name}`) },
          ];
        }),
      );
      const image = await buildImage(
        {
          ...order,
          dockerfile,
          context: contextTree(
            files,
            order.dockerfile.type === 'path' ? order.dockerfile.path : null,
            'the build context',
          ),
          contexts,
          sourceDateEpoch,
          secrets: readSecrets(order.secrets),
        },
        host,
        report,
        signal,
      );
      await recordImage(ports.intake, image);
      return image;
    } finally {
      for (const files of opened) files.close();
    }
  });
}

function badContext(message: string, cause?: unknown): TsdError {
  return new TsdError('TSD_BUILD_CONTEXT', message, { step: 'build', cause });
}

function openContext(path: string, what: string): Beneath {
  try {
    return Beneath.open(path);
  } catch (thrown) {
    throw badContext(`${what} ${path}: ${toTsdError(thrown).message}`, thrown);
  }
}

async function contextDirectory(context: BuildOrder['context'], scratch: string): Promise<string> {
  if (context.type === 'directory') return context.path;
  const directory = join(scratch, 'context');
  if (context.type === 'none') return scratch;
  const found = await stat(context.path).catch((cause: unknown) => {
    throw badContext(`build context ${context.path} cannot be read: ${(cause as Error).message}`, cause);
  });
  if (!found.isFile()) throw badContext(`build context ${context.path} is no file`);
  await unpackArchive(createReadStream(context.path), directory);
  return directory;
}

function contextTree(files: Beneath, dockerfile: string | null, name: string): SourceTree {
  for (const file of ignoreFileNames(dockerfile)) {
    const path = files.resolve(file);
    const text = path === null ? null : files.readText(path, MAX_DOCKERFILE_BYTES);
    if (text === null) continue;
    const { matcher, problems } = parseIgnoreFile(text);
    const [first] = problems;
    if (first !== undefined) throw badContext(`${file}:${first.line}: ${first.message}`);
    return { files, ignore: matcher, name, devices: false, keepsOwners: false };
  }
  return { files, ignore: IGNORE_NOTHING, name, devices: false, keepsOwners: false };
}

function readDockerfileText({ dockerfile, context }: BuildOrder, files: Beneath): { text: string; name: string } {
  if (dockerfile.type === 'text') return { text: dockerfile.text, name: 'Dockerfile' };
  const { path } = dockerfile;
  if (isAbsolute(path)) return { text: textOfHostFile(path, MAX_DOCKERFILE_BYTES, 'Dockerfile'), name: path };
  const found = files.resolve(path);
  const text = found === null ? null : files.readText(found, MAX_DOCKERFILE_BYTES);
  // Of an archive there is no path that a person could open.
  if (text !== null) return { text, name: context.type === 'directory' ? join(context.path, path) : path };
  throw badContext(`the build context has no file ${path}, or it is larger than 1 MiB`);
}

function textOfHostFile(path: string, maxBytes: number, what: string): string {
  const directory = openContext(dirname(path), what);
  try {
    const name = directory.resolve(basename(path));
    const text = name === null ? null : directory.readText(name, maxBytes);
    if (text !== null) return text;
  } finally {
    directory.close();
  }
  throw badContext(`${what} ${path} is no file, or larger than 1 MiB`);
}

function readSecrets(secrets: BuildOrder['secrets']): Map<string, Buffer> {
  return new Map(
    Object.entries(secrets).map(([id, path]) => [
      id,
      Buffer.from(textOfHostFile(path, MAX_SECRET_BYTES, `secret ${id}`)),
    ]),
  );
}

function epochOf(args: Readonly<Record<string, string>>): number | null {
  const { SOURCE_DATE_EPOCH: written } = args;
  if (written === undefined || written === '') return null;
  if (/^\d{1,11}$/.test(written)) return Number(written);
  throw new TsdError('TSD_BAD_REQUEST', `SOURCE_DATE_EPOCH=${written} is no number of seconds since 1970`);
}
