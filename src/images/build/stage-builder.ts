/** Carries out the instructions of one stage. */
import { posix } from 'node:path';
import type { RootMount } from '../../drivers/contract/graph.ts';
import type { Beneath } from '../../ffi/files/beneath.ts';
import { formatTime } from '../../model/clock.ts';
import { type Instruction, readInstruction } from '../../model/dockerfile/instruction.ts';
import { dockerfileError } from '../../model/dockerfile/place.ts';
import type { Stage } from '../../model/dockerfile/stages.ts';
import { parseOne } from '../../model/dockerfile/syntax.ts';
import { IGNORE_NOTHING } from '../../model/text/ignore-file.ts';
import { sha256Hex } from '../image-config.ts';
import { openRootView } from '../tree/root-view.ts';
import type { BuildStage, LayerStep, StageContext } from './build-stage.ts';
import { cacheKey } from './cache.ts';
import { changedConfig, type StageConfig, triggersOf, workingDirOf } from './config.ts';
import type { SourceTree } from './files/source-tree.ts';
import type { BuiltLayer } from './host.ts';
import type { StageScope } from './scope.ts';
import { configJsonOf, type HistoryEntry, type StageState } from './stage-state.ts';
import { copyStep } from './steps/copy-step.ts';
import { runStep } from './steps/run-step.ts';
import { workdirStep } from './steps/workdir-step.ts';

const COMMENT = 'tsdocker build';

export class StageBuilder implements BuildStage {
  readonly context: StageContext;
  readonly scope: StageScope;
  readonly #stage: Stage;
  readonly #label: string;
  #state: StageState;
  #step = 0;
  #steps: number;

  constructor(stage: Stage, label: string, state: StageState, scope: StageScope, context: StageContext) {
    this.#stage = stage;
    this.#label = label;
    this.#state = state;
    this.#steps = stage.instructions.length;
    this.scope = scope;
    this.context = context;
  }

  get state(): StageState {
    return this.#state;
  }

  /** @throws TSD_DOCKERFILE, TSD_BUILD_RUN, TSD_TIMEOUT when the build is cancelled, and what making layers throws. */
  async run(): Promise<StageState> {
    const triggers = triggersOf(this.#state.config).map((text) =>
      readInstruction(
        parseOne(text, { ...this.#stage.from.place, source: `${this.#stage.from.place.source}\nONBUILD ${text}` }),
      ),
    );
    this.#steps += triggers.length;
    if (triggers.length > 0) this.#state = { ...this.#state, config: { ...this.#state.config, OnBuild: null } };
    for (const instruction of [...triggers, ...this.#stage.instructions]) {
      this.context.signal.throwIfAborted();
      this.#step += 1;
      await this.#carryOut(instruction);
    }
    return this.#state;
  }

  get label(): string {
    return `[${this.#label} ${this.#step}/${this.#steps}]`;
  }

  async #carryOut(instruction: Instruction): Promise<void> {
    const { keyword } = instruction;
    if (keyword === 'ARG') {
      this.scope.declare(instruction, this.#state.config);
      await this.#configStep(instruction, this.#state);
      return;
    }
    if (keyword === 'RUN') return this.#layerStep(instruction, this.#state, (use) => runStep(this, instruction, use));
    if (keyword === 'COPY' || keyword === 'ADD') {
      return this.#layerStep(instruction, this.#state, (use) => copyStep(this, instruction, use));
    }
    const changed = changedConfig(this.#state, instruction, this.scope.expander(this.#state.config));
    if (changed === null) throw dockerfileError(instruction.place, `${keyword} cannot stand here`);
    if (keyword !== 'WORKDIR') return this.#configStep(instruction, changed);
    const directory = workingDirOf(changed.config);
    return this.#layerStep(instruction, changed, (use) => workdirStep(this, directory, instruction, use));
  }

  async #configStep(instruction: Instruction, changed: StageConfig): Promise<void> {
    await this.#layerStep(instruction, changed, (use) => use({ key: {}, make: async () => null }));
  }

  /**
   * Looks an instruction up or carries it out.
   * @param prepare finds out what it depends on, and keeps that at hand until `use` is done.
   */
  async #layerStep(
    instruction: Instruction,
    changed: StageConfig,
    prepare: (use: (step: LayerStep) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const { host, request, report } = this.context;
    const text = instructionText(instruction);
    await prepare(async ({ key, make }) => {
      const whole = cacheKey({
        instruction: text,
        below: this.#state.layers.at(-1)?.chainId ?? null,
        config: changed.config,
        author: changed.author,
        platform: this.#state.platform,
        epoch: request.sourceDateEpoch,
        ...key,
      });
      const known = request.noCache ? null : await host.cache.find(whole);
      report.step(this.label, text, known !== null);
      if (known !== null) {
        this.#advance(changed, known.layer, known.created, text);
        this.#made();
        return;
      }
      const layer = await make();
      const created = this.created();
      this.#advance(changed, layer, created, text);
      this.#made();
      await host.cache.keep(whole, { layer, created });
    });
  }

  #made(): void {
    this.context.report.detail?.({ type: 'made', label: this.label, id: sha256Hex(configJsonOf(this.#state)) });
  }

  created(): string {
    const { sourceDateEpoch } = this.context.request;
    return formatTime(sourceDateEpoch === null ? this.context.host.now() : sourceDateEpoch * 1000);
  }

  #advance(changed: StageConfig, layer: BuiltLayer | null, created: string, text: string): void {
    const entry: HistoryEntry = {
      created,
      created_by: text,
      comment: COMMENT,
      ...(layer === null && { empty_layer: true as const }),
    };
    this.#state = {
      ...this.#state,
      config: changed.config,
      author: changed.author,
      ownCommand: changed.ownCommand,
      layers: layer === null ? this.#state.layers : [...this.#state.layers, layer],
      history: [...this.#state.history, entry],
      created,
    };
  }

  withRoot<T>(work: (root: Beneath, id: string, mount: RootMount) => Promise<T>): Promise<T> {
    const parent = this.#state.layers.at(-1)?.chainId ?? null;
    return this.context.host.withSnapshot(parent, async (id, mount) => {
      const root = openRootView(mount);
      try {
        return await work(root, id, mount);
      } finally {
        root.close();
      }
    });
  }

  pathIn(written: string): string {
    const path = posix.resolve(workingDirOf(this.#state.config), written);
    return /(^|\/)\.?$/.test(written) && path !== '/' ? `${path}/` : path;
  }
}

/** The instruction on one line, as history and cache have it. */
export function instructionText({ keyword, flags, script }: Instruction): string {
  const written = [...flags].flatMap(([name, values]) => values.map((value) => `--${name}=${value}`));
  return [keyword, ...written, script].join(' ').trimEnd();
}

/** A finished stage's files as a source of COPY. */
export function stageTree(files: Beneath, name: string): SourceTree {
  return { files, ignore: IGNORE_NOTHING, name, devices: true, keepsOwners: true };
}
