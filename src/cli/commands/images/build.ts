import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type BuildRequest, NETWORK_MODES, PERMISSIONS } from '../../../api/images/build.ts';
import { requireOfCaller } from '../../../manifest/caller-files.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { parsePairs } from '../../build-options.ts';
import { type Command, InvalidArgumentError, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { collect } from '../../options.ts';
import { followBuild } from '../../output/build.ts';
import { ownFiles } from '../../own-files.ts';

interface BuildOptions {
  readonly tag?: readonly string[];
  readonly file?: string;
  readonly target?: string;
  readonly buildArg?: readonly string[];
  readonly buildContext?: readonly string[];
  readonly label?: readonly string[];
  readonly secret?: readonly string[];
  readonly platform?: string;
  readonly network: (typeof NETWORK_MODES)[number];
  readonly allow?: readonly (typeof PERMISSIONS)[number][];
  readonly cache: boolean;
  readonly output?: 'json';
  readonly quiet?: boolean;
}

/** A tar has this at byte 257 (POSIX ustar); what is compressed begins with one of the others. */
const ARCHIVE_STARTS = ['1f8b', '28b52ffd', 'fd377a585a00', '425a68'];
const USTAR = { at: 257, text: 'ustar' };

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Builds an image from a Dockerfile and the files beside it. The supervisor reads the directory, so it must be on its ' +
      'host. With - the context is read from standard input: a tar, plain or compressed, or a Dockerfile alone. Ctrl-C ' +
      'cancels the build.',
    examples: [
      ['tsdocker build -t app:1 .', 'Build the Dockerfile of this directory'],
      ['tsdocker build -t app --target test --build-arg VERSION=1.2 ./src', 'A stage, with an argument'],
      ['tsdocker build -t app --build-context assets=../assets .', 'COPY --from=assets takes files from there'],
      ['tsdocker build -t app --allow network.host .', "RUN --network=host may use the host's network"],
      ['git archive HEAD | tsdocker build -t app -', 'The context as a tar'],
      ['SOURCE_DATE_EPOCH=0 tsdocker build -t app .', 'The same files always give the same image'],
    ],
  });
  command.argument('<context>', 'directory, tar file, or - for standard input');
  command.option('-t, --tag <name>', 'REPOSITORY[:TAG] of the image; repeatable', collect);
  command.option('-f, --file <path>', 'Dockerfile (default: Dockerfile of the context; - reads standard input)');
  command.option('--target <stage>', 'stage to build (default: the last)');
  command.option('--build-arg <name=value>', 'value of an ARG; default: that of the environment; repeatable', collect);
  command.option(
    '--build-context <name=where>',
    'directory or docker-image://NAME for FROM and --from; repeatable',
    collect,
  );
  command.option(
    '--label <name=value>',
    'label of the image, in addition to those of the Dockerfile; repeatable',
    collect,
  );
  command.option('--secret <id=name,src=file>', 'file for RUN --mount=type=secret; repeatable', collect);
  command.addOption(
    new Option('--platform <os/arch>', "platform of base images (default: this machine's)").argParser(
      (text: string) => {
        if (/^[a-z0-9_]+\/[a-z0-9_]+(\/[a-z0-9_]+)?$/.test(text)) return text;
        throw new InvalidArgumentError('write for example linux/arm64.');
      },
    ),
  );
  command.addOption(new Option('--network <mode>', 'network of RUN and ADD').choices(NETWORK_MODES).default('default'));
  command.addOption(
    new Option('--allow <permission>', "permission for RUN: network.host, the host's network; repeatable")
      .choices(PERMISSIONS)
      .argParser(collect),
  );
  command.option('--no-cache', 'carry out every instruction');
  command.option('-q, --quiet', 'print only the id');
  command.addOption(new Option('-o, --output <format>', 'json: events, one a line').choices(['json']));
  command.action(context.action((where: string, options: BuildOptions) => build(context, where, options)));
}

/** Builds until it ends or Ctrl-C cancels it. Returns the exit code. */
async function build(context: CliContext, where: string, options: BuildOptions): Promise<number> {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  const scratch = where === '-' ? mkdtempSync(join(tmpdir(), 'tsdocker-build-')) : null;
  try {
    const client = await context.client();
    const request = await buildRequest(context, where, options, scratch);
    const form = options.output === 'json' ? 'json' : options.quiet === true ? 'quiet' : 'plain';
    return await followBuild(context, client.builds.build(request, stop.signal), form);
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown;
    context.warn('the build was cancelled');
    return EXIT.error;
  } finally {
    process.off('SIGINT', interrupt);
    if (scratch !== null) rmSync(scratch, { recursive: true, force: true });
  }
}

async function buildRequest(
  context: CliContext,
  where: string,
  options: BuildOptions,
  scratch: string | null,
): Promise<BuildRequest> {
  const { env, cwd, stdin } = context.streams;
  if (where === '-' && options.file === '-') {
    throw new TsdError('TSD_BAD_REQUEST', 'standard input cannot be both the context and the Dockerfile');
  }
  const given = scratch === null ? contextAt(resolve(cwd, where)) : await receive(context, scratch);
  const text = options.file === '-' ? await readAll(stdin) : given.text;
  if (scratch === null) requireOwn(context, cwd, given, text === null ? (options.file ?? 'Dockerfile') : null);
  const epoch = env.SOURCE_DATE_EPOCH;
  return {
    context: given.context,
    dockerfile:
      options.file === undefined || options.file === '-' ? 'Dockerfile' : dockerfilePath(cwd, options.file, given),
    dockerfileText: text,
    contexts: parsePairs(options.buildContext ?? [], '--build-context', (value) =>
      value.startsWith('docker-image://') ? value : resolve(cwd, value),
    ),
    tags: options.tag ?? [],
    args: {
      ...(epoch !== undefined && epoch !== '' && { SOURCE_DATE_EPOCH: epoch }),
      ...buildArgs(options.buildArg ?? [], env),
    },
    labels: parsePairs(options.label ?? [], '--label', (value) => value),
    target: options.target ?? null,
    platform: options.platform ?? null,
    network: options.network,
    // A supervisor of before knows nothing of it.
    ...(options.allow !== undefined && { allow: options.allow }),
    noCache: !options.cache,
    secrets: Object.fromEntries((options.secret ?? []).map((written) => secretOf(written, cwd))),
  };
}

/** What says how it is built must be the caller's, or root's. @param file the Dockerfile as named; null for none to read */
function requireOwn(cliContext: CliContext, cwd: string, given: GivenContext, file: string | null): void {
  const gate = ownFiles(cliContext);
  const { context } = given;
  if (context !== null) requireOfCaller(context.path, gate);
  const directory = context?.type === 'directory' ? context.path : null;
  const dockerfile = file === null ? [] : [resolve(directory ?? cwd, dockerfilePath(cwd, file, given))];
  for (const path of [...dockerfile, ...(directory === null ? [] : [join(directory, '.dockerignore')])]) {
    requireOfCaller(path, gate);
  }
}

interface GivenContext {
  readonly context: BuildRequest['context'];
  /** The Dockerfile, where that is all that was given. */
  readonly text: string | null;
}

function contextAt(path: string): GivenContext {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new TsdError('TSD_BUILD_CONTEXT', `${path}: no such directory`, {
      hint: 'Name the directory of the build context.',
    });
  }
  return { context: { type: found.isDirectory() ? 'directory' : 'archive', path }, text: null };
}

/** Standard input into a file, since the supervisor reads it more than once. */
async function receive({ streams }: CliContext, scratch: string): Promise<GivenContext> {
  const path = join(scratch, 'context');
  await pipeline(streams.stdin, createWriteStream(path, { mode: 0o600 }));
  const bytes = readFileSync(path);
  const start = bytes.subarray(0, 8).toString('hex');
  const isTar = bytes.toString('latin1', USTAR.at, USTAR.at + USTAR.text.length) === USTAR.text;
  if (isTar || ARCHIVE_STARTS.some((magic) => start.startsWith(magic))) {
    return { context: { type: 'archive', path }, text: null };
  }
  return { context: null, text: bytes.toString('utf8') };
}

/** As written from here, or else in the context. */
function dockerfilePath(cwd: string, file: string, { context }: GivenContext): string {
  const here = resolve(cwd, file);
  if (context === null || context.type === 'archive') return file;
  const below = `${context.path.replace(/\/$/, '')}/`;
  // In the context its own .dockerignore counts, so it is named from there.
  if (existsSync(here)) return here.startsWith(below) ? here.slice(below.length) : here;
  return file;
}

/** `NAME` alone takes the value of the environment, and nothing where it has none. */
function buildArgs(written: readonly string[], env: CliContext['streams']['env']): Record<string, string> {
  const named = written.map((text) => (text.includes('=') ? text : `${text}=${env[text] ?? '\0'}`));
  const pairs = parsePairs(named, '--build-arg', (value) => value);
  return Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== '\0'));
}

function secretOf(written: string, cwd: string): [id: string, path: string] {
  const parts = parsePairs(written.split(','), '--secret', (value) => value);
  const { id, src = parts.source } = parts;
  if (id === undefined || src === undefined) {
    throw new TsdError('TSD_BAD_REQUEST', `--secret ${written} needs id=NAME,src=FILE`);
  }
  return [id, resolve(cwd, src)];
}
