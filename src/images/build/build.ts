/** Builds an image from a Dockerfile: the stages that are needed, side by side where they do not need each other. */
import PQueue from 'p-queue';
import { type DockerfilePlace, dockerfileError } from '../../model/dockerfile/place.ts';
import { type Dockerfile, findStage, readDockerfile, type Stage, targetStage } from '../../model/dockerfile/stages.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { goArchitecture, platformArgs } from '../../model/platform.ts';
import type { LoadedImage } from '../image.ts';
import { sha256Hex } from '../image-config.ts';
import { type LayerBlob, loadLayers } from '../layers.ts';
import { openRootView } from '../tree/root-view.ts';
import { withAdded } from './config.ts';
import type { SourceTree } from './files/source-tree.ts';
import type { BaseImage, BuildHost, BuildReporter, BuildRequest, NamedContext } from './host.ts';
import { StageScope, unusedArgs } from './scope.ts';
import { instructionText, StageBuilder, stageTree } from './stage-builder.ts';
import { configJsonOf, type StageState, scratchState, stateOfImage } from './stage-state.ts';

/** Stages at the same time; most of a stage is waiting for its commands. */
const CONCURRENT_STAGES = 4;

/**
 * Builds and describes the image; its layers are in the graph. After a failure nothing of the build runs or is mounted.
 * @throws TSD_DOCKERFILE, TSD_BUILD_RUN, TSD_BUILD_CONTEXT, TSD_TIMEOUT when the signal aborts, and what loading bases and
 * making layers throws.
 */
export async function buildImage(
  request: BuildRequest,
  host: BuildHost,
  report: BuildReporter,
  signal: AbortSignal,
): Promise<LoadedImage> {
  const here = `linux/${goArchitecture(process.arch)}`;
  const platform = platformArgs(request.platform ?? here, here);
  const { dockerfile: file, args } = request;
  const dockerfile = readDockerfile(file.text, file.name, args, platform);
  const target = targetStage(dockerfile, request.target);
  const abort = new AbortController();
  const build = new Build(dockerfile, platform, request, host, report, abort);
  report.plan?.(build.steps(target));
  for (const name of unusedArgs(dockerfile, args)) report.warning(`build argument ${name} is not used`);
  const stop = (): void => abort.abort(buildCancelled());
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const built = await build.result(target);
    const state = { ...built, config: withAdded(built.config, request) };
    const below: LayerBlob[] = state.layers.map(({ diffId }) => ({ open: () => gone(diffId), digest: null }));
    return await loadLayers(configJsonOf(state), [], below, host.load);
  } catch (thrown) {
    abort.abort(buildCancelled());
    throw thrown;
  } finally {
    signal.removeEventListener('abort', stop);
    await build.settled();
    await host.cache.trim();
  }
}

const buildCancelled = (): TsdError => new TsdError('TSD_TIMEOUT', 'the build was cancelled', { step: 'build' });

function gone(digest: string): never {
  throw new TsdError('TSD_IMAGE_MISSING', `layer ${digest.slice(0, 12)} of the build was removed meanwhile`, {
    class: 'unavailable',
    hint: 'Build again.',
  });
}

class Build {
  readonly #dockerfile: Dockerfile;
  readonly #platform: Readonly<Record<string, string>>;
  readonly #request: BuildRequest;
  readonly #host: BuildHost;
  readonly #report: BuildReporter;
  readonly #abort: AbortController;
  readonly #running = new PQueue({ concurrency: CONCURRENT_STAGES });
  readonly #results = new Map<number, Promise<StageState>>();

  constructor(
    dockerfile: Dockerfile,
    platform: Readonly<Record<string, string>>,
    request: BuildRequest,
    host: BuildHost,
    report: BuildReporter,
    abort: AbortController,
  ) {
    this.#dockerfile = dockerfile;
    this.#platform = platform;
    this.#request = request;
    this.#host = host;
    this.#report = report;
    this.#abort = abort;
  }

  /** The stage, built once whoever asks for it. */
  result(stage: Stage): Promise<StageState> {
    const known = this.#results.get(stage.index);
    if (known !== undefined) return known;
    const building = this.#build(stage);
    // Whoever needs it sees its failure.
    building.catch(() => this.#abort.abort(buildCancelled()));
    this.#results.set(stage.index, building);
    return building;
  }

  /** Resolves when nothing of the build continues any more. */
  async settled(): Promise<void> {
    let seen = -1;
    while (seen !== this.#results.size) {
      seen = this.#results.size;
      await Promise.allSettled(this.#results.values());
    }
  }

  async #build(stage: Stage): Promise<StageState> {
    const needed = this.#neededStages(stage);
    await Promise.all(needed.map((other) => this.result(other)));
    const { signal } = this.#abort;
    const scope = new StageScope(this.#dockerfile, this.#request.args, this.#platform);
    const label = stage.name ?? `stage-${stage.index}`;
    this.#report.detail?.({ type: 'from', label: `[${label}]`, message: instructionText(stage.from) });
    const { state, id } = await this.#base(stage);
    this.#report.detail?.({ type: 'made', label: `[${label}]`, id });
    const builder = new StageBuilder(stage, label, state, scope, {
      host: this.#host,
      request: this.#request,
      report: this.#report,
      signal,
      withSource: (from, place, work) => this.#withSource(stage, from, place, work),
    });
    return this.#running.add(() => builder.run());
  }

  /** Instructions of a stage and of those that it certainly needs, FROM among them. */
  steps(target: Stage): number {
    const needed = new Set([target]);
    for (const stage of needed) for (const other of this.#neededStages(stage)) needed.add(other);
    return [...needed].reduce((sum, { instructions }) => sum + 1 + instructions.length, 0);
  }

  /** Stages that this one certainly uses: begun before it is, and side by side. */
  #neededStages(stage: Stage): Stage[] {
    const names = [
      stage.base,
      ...stage.instructions.flatMap(({ flags }) => [
        ...(flags.get('from') ?? []),
        ...(flags.get('mount') ?? []).flatMap((mount) => /(?:^|,)from=([^,]+)/.exec(mount)?.[1] ?? []),
      ]),
    ];
    const found = names.flatMap((name) => {
      if (this.#request.contexts.has(name)) return [];
      return findStage(this.#dockerfile, name, stage.index) ?? [];
    });
    return [...new Set(found)];
  }

  async #base(stage: Stage): Promise<{ readonly state: StageState; readonly id: string | null }> {
    const { base, from, platform } = stage;
    if (base === 'scratch') return { state: scratchState(), id: null };
    const context = this.#request.contexts.get(base);
    if (context?.type === 'files') {
      throw dockerfileError(
        from.place,
        `FROM ${base}: the build context ${base} is a directory, and an image is needed`,
      );
    }
    const other =
      context === undefined && !/^\d+$/.test(base) ? findStage(this.#dockerfile, base, stage.index) : undefined;
    if (other !== undefined) {
      const state = await this.result(other);
      return { state: { ...state, ownCommand: false }, id: sha256Hex(configJsonOf(state)) };
    }
    const wanted = platform ?? this.#request.platform;
    const image = await this.#image(context?.name ?? base, wanted, from.place);
    return { state: stateOfImage(image), id: image.id };
  }

  async #image(name: string, platform: string | null, place: DockerfilePlace): Promise<BaseImage> {
    try {
      return await this.#host.baseImage(name, platform, this.#abort.signal);
    } catch (thrown) {
      this.#abort.signal.throwIfAborted();
      if (!(thrown instanceof TsdError)) throw thrown;
      throw dockerfileError(place, `${name}: ${thrown.message}`, {
        class: thrown.class,
        hint: thrown.hint,
        cause: thrown,
      });
    }
  }

  async #withSource<T>(
    stage: Stage,
    from: string,
    place: DockerfilePlace,
    work: (tree: SourceTree) => Promise<T>,
  ): Promise<T> {
    const context: NamedContext | undefined = this.#request.contexts.get(from);
    if (context?.type === 'files') return work(context.tree);
    const other = context === undefined ? findStage(this.#dockerfile, from, stage.index) : undefined;
    if (other === undefined && /^\d+$/.test(from))
      throw dockerfileError(place, `there is no stage ${from} before this one`);
    const layers =
      other === undefined
        ? (await this.#image(context?.name ?? from, this.#request.platform, place)).layers
        : (await this.result(other)).layers;
    return this.#host.withSnapshot(layers.at(-1)?.chainId ?? null, async (_id, root) => {
      const files = openRootView(root);
      try {
        return await work(stageTree(files, other === undefined ? `image ${from}` : `stage ${from}`));
      } finally {
        files.close();
      }
    });
  }
}
