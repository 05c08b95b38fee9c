/** RUN. */
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join as joinPath, posix } from 'node:path';
import { Readable } from 'node:stream';
import type { MountSpec, TaskExit } from '../../../drivers/contract/exec.ts';
import type { RootMount } from '../../../drivers/contract/graph.ts';
import { Beneath } from '../../../ffi/files/beneath.ts';
import type { Instruction } from '../../../model/dockerfile/instruction.ts';
import { dockerfileError, sourceLines } from '../../../model/dockerfile/place.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { changeEntries } from '../../export/changes-tar.ts';
import { withoutMountPoints } from '../../export/mount-points.ts';
import { treeTar } from '../../tree/tree-tar.ts';
import type { BuildStage, LayerStep } from '../build-stage.ts';
import { commandOf, shellOf, userOf, workingDirOf } from '../config.ts';
import { copyEntries } from '../files/copy.ts';
import { unpackArchive } from '../files/local-archive.ts';
import type { SourceTree } from '../files/source-tree.ts';
import { type BuildNetwork, NETWORK_MODES } from '../host.ts';
import { clampedTimes, contentDigest, makeLayer } from '../layer-writer.ts';
import { type RunMount, readMounts } from '../mounts.ts';

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Where scripts of here-documents with a `#!` line stand. */
const SCRIPTS = '/dev/pipes';
/** The output shown with a failed command. */
const TAIL_LINES = 20;
const TAIL_BYTES = 8 * 1024;

export async function runStep(
  stage: BuildStage,
  instruction: Instruction,
  use: (step: LayerStep) => Promise<void>,
): Promise<void> {
  const { host } = stage.context;
  const expander = stage.scope.expander(stage.state.config);
  const network = networkOf(stage, instruction);
  const { extraHosts } = stage.context.request;
  const [security = 'sandbox'] = instruction.flags.get('security') ?? [];
  if (security !== 'sandbox') {
    throw dockerfileError(instruction.place, `--security=${security} is not supported`, { class: 'unsupported' });
  }
  const mounts = readMounts(instruction, expander, workingDirOf(stage.state.config));
  await host.withDirectory((scratch) =>
    withMounts(stage, instruction, mounts, scratch, async ({ specs, env, digests }) => {
      await use({
        key: {
          network,
          ...(extraHosts.length > 0 && { extraHosts }),
          args: stage.scope.visible(stage.state.config),
          mounts: mounts.map((mount) => (mount.type === 'secret' ? { ...mount, value: null } : mount)),
          digests,
        },
        make: () =>
          stage.withRoot(async (_root, id, root) => {
            await execute(stage, instruction, { id, root, network, specs, env, scratch });
            const targets = specs.map(({ target }) => target);
            const latest = stage.context.request.sourceDateEpoch;
            const changes = () => withoutMountPoints(host.load.graph.changes(id), targets);
            return makeLayer(stage.state.layers, () => clampedTimes(changeEntries(changes()), latest), host.load);
          }),
      });
    }),
  );
}

function networkOf(stage: BuildStage, { flags, place }: Instruction): BuildNetwork {
  const { network, allow } = stage.context.request;
  const [written = 'default'] = flags.get('network') ?? [];
  const mode = NETWORK_MODES.find((name) => name === written);
  if (mode === undefined) throw dockerfileError(place, `--network=${written}: there are ${NETWORK_MODES.join(', ')}`);
  if (mode === 'default') return network;
  // Who wrote the Dockerfile does not decide what it reaches of the host.
  if (mode === 'host' && network !== 'host' && !allow.includes('network.host')) {
    throw dockerfileError(place, "RUN --network=host: this build may not use the host's network", {
      class: 'denied',
      hint: 'Where you trust it with that, write `build: { network: host }` in the manifest, or `tsdocker build --allow network.host`.',
    });
  }
  return mode;
}

interface Execution {
  readonly id: string;
  readonly root: RootMount;
  readonly network: BuildNetwork;
  readonly specs: readonly MountSpec[];
  readonly env: readonly string[];
  readonly scratch: string;
}

async function execute(stage: BuildStage, instruction: Instruction, execution: Execution): Promise<void> {
  const { host, report, signal } = stage.context;
  const { config } = stage.state;
  const { label } = stage;
  const tail = new Tail();
  const { argv, mounts } = await commandLine(stage, instruction, execution.scratch);
  const own = stage.scope.environment(config);
  const env = own.some((variable) => variable.startsWith('PATH=')) ? own : [DEFAULT_PATH, ...own];
  const failed = (how: string, cause?: TsdError): TsdError => {
    const output = tail.text();
    const wrote = output === '' ? '' : `\nthe last lines it wrote:\n${output}`;
    return new TsdError('TSD_BUILD_RUN', `RUN ${how}\n${sourceLines(instruction.place)}${wrote}`, {
      source: { file: instruction.place.file, line: instruction.place.line, column: 1 },
      class: cause?.class,
      cause,
    });
  };
  report.detail?.({ type: 'running', label, id: execution.id });
  let exit: TaskExit;
  try {
    exit = await host.run(
      {
        id: execution.id,
        root: execution.root,
        argv,
        env: [...env, ...execution.env],
        cwd: workingDirOf(config),
        user: userOf(config),
        network: execution.network,
        limits: stage.context.request.limits,
        extraHosts: stage.context.request.extraHosts,
        mounts: [...execution.specs, ...mounts],
        output: (text, stream) => {
          tail.add(text);
          report.output(label, text, stream);
        },
      },
      signal,
    );
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof TsdError && thrown.class !== 'bug')
      throw failed(`could not be started: ${thrown.message}`, thrown);
    throw thrown;
  }
  if (exit.exitCode === 0) return;
  if (exit.exitCode !== null) report.detail?.({ type: 'exited', label, command: argv, code: exit.exitCode });
  if (exit.oomKilled) throw failed('was killed: it used more memory than there is');
  throw failed(exit.exitCode === null ? 'was lost' : `ended with exit code ${exit.exitCode}`);
}

/** A single here-document is the script; with a `#!` line it is a program of its own. */
async function commandLine(
  stage: BuildStage,
  instruction: Instruction,
  scratch: string,
): Promise<{ argv: readonly string[]; mounts: readonly MountSpec[] }> {
  const { config } = stage.state;
  const [heredoc, ...more] = instruction.heredocs;
  const alone = heredoc !== undefined && more.length === 0 && /^<<-?["']?[^\s"'<>|&;]+["']?\s*$/.test(instruction.rest);
  if (!alone) return { argv: commandOf(config, instruction), mounts: [] };
  const { content } = heredoc;
  if (!content.startsWith('#!')) return { argv: [...shellOf(config), content], mounts: [] };
  const source = joinPath(scratch, 'script');
  await writeFile(source, content);
  await chmod(source, 0o755);
  const target = posix.join(SCRIPTS, heredoc.name);
  return { argv: [target], mounts: [bindMount(source, target, true)] };
}

function bindMount(source: string, target: string, readOnly: boolean): MountSpec {
  return { type: 'bind', source, target, readOnly, copyUp: false, sizeBytes: null };
}

interface ReadyMounts {
  readonly specs: readonly MountSpec[];
  /** Secrets as variables. */
  readonly env: readonly string[];
  /** Content of what is bound. */
  readonly digests: readonly string[];
}

/** Makes ready what is to be mounted, for as long as `work` lasts. */
function withMounts(
  stage: BuildStage,
  instruction: Instruction,
  mounts: readonly RunMount[],
  scratch: string,
  work: (ready: ReadyMounts) => Promise<void>,
): Promise<void> {
  const specs: MountSpec[] = [];
  const env: string[] = [];
  const digests: string[] = [];
  const next = async (index: number): Promise<void> => {
    const mount = mounts[index];
    if (mount === undefined) return work({ specs, env, digests });
    const directory = joinPath(scratch, `mount-${index}`);
    switch (mount.type) {
      case 'tmpfs':
        specs.push({ ...bindMount('', mount.target, false), type: 'tmpfs', sizeBytes: mount.sizeBytes });
        return next(index + 1);
      case 'cache':
        return stage.context.host.withCacheMount(mount, (path) => {
          specs.push(bindMount(path, mount.target, mount.readOnly));
          return next(index + 1);
        });
      case 'secret':
        await addSecret(stage, instruction, mount, directory, { specs, env });
        return next(index + 1);
      case 'bind': {
        const bind = async (tree: SourceTree): Promise<void> => {
          const { path, digest } = await privateCopy(tree, mount.source, directory, instruction);
          specs.push(bindMount(path, mount.target, mount.readOnly));
          digests.push(digest);
        };
        const { request, withSource } = stage.context;
        if (mount.from === null) await bind(request.context);
        else await withSource(mount.from, instruction.place, bind);
        return next(index + 1);
      }
    }
  };
  return next(0);
}

async function addSecret(
  stage: BuildStage,
  { place }: Instruction,
  mount: Extract<RunMount, { type: 'secret' }>,
  path: string,
  { specs, env }: { readonly specs: MountSpec[]; readonly env: string[] },
): Promise<void> {
  const value = stage.context.request.secrets.get(mount.id);
  if (value === undefined) {
    if (mount.required)
      throw dockerfileError(place, `the secret ${mount.id} was not given`, {
        hint: `Give it with --secret id=${mount.id},src=FILE.`,
      });
    return;
  }
  if (mount.env !== null) env.push(`${mount.env}=${value.toString()}`);
  if (mount.target === null) return;
  await writeFile(path, value, { mode: 0o600 });
  await chown(path, mount.uid, mount.gid);
  await chmod(path, mount.mode);
  specs.push(bindMount(path, mount.target, true));
}

/** A bind mount shows a copy: a command that writes to it changes nothing outside and sees only allowed files. */
async function privateCopy(
  tree: SourceTree,
  source: string,
  directory: string,
  { place }: Instruction,
): Promise<{ path: string; digest: string }> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const empty = Beneath.open(directory);
  try {
    const entries = await copyEntries(
      {
        keyword: 'COPY',
        sources: [{ type: 'tree', tree, pattern: source }],
        destination: '/content',
        owner: null,
        mode: null,
        excludes: [],
        parents: false,
        mtimeSeconds: null,
        nowSeconds: 0,
        place,
      },
      empty,
    );
    const digest = await contentDigest(entries);
    await unpackArchive(Readable.from(treeTar(entries), { objectMode: false }), directory);
    const path = joinPath(directory, 'content');
    await mkdir(path, { mode: 0o755 }).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'EEXIST') throw thrown;
    });
    return { path, digest };
  } finally {
    empty.close();
  }
}

/** The end of what a command wrote. */
class Tail {
  #text = '';

  add(text: string): void {
    this.#text = (this.#text + text).slice(-TAIL_BYTES);
  }

  text(): string {
    return this.#text
      .trimEnd()
      .split('\n')
      .slice(-TAIL_LINES)
      .map((line) => `      > ${line}`)
      .join('\n')
      .replace(/^ {6}> $/, '');
  }
}
