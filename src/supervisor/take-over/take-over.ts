/**
 * Asks the shims of an earlier supervisor's runs whether these go on. One that hangs delays no other: until it
 * answers, its container is left alone, because it is unknown whether it runs.
 */
import type { AdoptResult } from '../../drivers/contract/exec.ts';
import { type Timers, within } from '../../model/clock.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { settleLeases } from '../../reconcile/ops/networks/recorded-leases.ts';
import type { World } from '../../reconcile/ops/world.ts';
import { type AdoptionQuestion, adoptionQuestions, isUnknown } from '../../state/restore.ts';
import {
  type AdoptionListeners,
  type AdoptionReport,
  attempting,
  repairNames,
  restoreEndpoints,
  restoreInput,
  restoreNetworks,
  takeOverRuns,
} from './restored-state.ts';

/** The start continues when no shim has answered for so long. */
const QUIET_MS = 500;
/** Who stops everything goes on without those that do not answer within this time. */
const LAST_ANSWERS_MS = 5_000;

export interface AdoptionParts extends AdoptionListeners {
  readonly world: World;
  readonly timers: Timers;
  /** Something else is known of the run of a container than was before. */
  readonly onAnswer: (key: ResourceKey) => void;
}

export class Adoption {
  readonly #parts: AdoptionParts;
  /** Containers whose shim was asked and has not answered, each until what it says is recorded. */
  readonly #asking = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(parts: AdoptionParts) {
    this.#parts = parts;
  }

  /** Takes over every run that the exec driver may know, then networks, names and addresses. */
  async begin(): Promise<AdoptionReport> {
    const { world } = this.#parts;
    const input = restoreInput(world, world.containers.all());
    const answers = new Map<string, AdoptResult>();
    const open = new Map<string, Promise<AdoptResult | null>>();
    for (const question of adoptionQuestions(input)) {
      const id = question.containerId;
      const answering = this.#ask(question).then((answer) => {
        open.delete(id);
        if (answer !== null) answers.set(id, answer);
        return answer;
      });
      open.set(id, answering);
    }
    await this.#quiet(open);
    const late = [...open];
    for (const [id] of late) {
      world.unanswered.set(id, 'its shim was asked whether it still runs and has not answered yet');
    }
    const report = await takeOverRuns(world, input, new Map(answers), this.#parts);
    const attempt = attempting(this.#parts);
    restoreNetworks(world, attempt);
    repairNames(world, attempt);
    settleLeases(world);
    for (const [id, answering] of late) this.#expect(id, answering);
    return report;
  }

  /** Asks again about runs in an unknown state. Does not wait. */
  askUnknown(): void {
    const { world } = this.#parts;
    const unknown = world.containers.all().filter((record) => isUnknown(record) && !this.#asking.has(record.id));
    if (unknown.length === 0 || this.#stopped) return;
    for (const question of adoptionQuestions(restoreInput(world, unknown))) {
      this.#expect(question.containerId, this.#ask(question));
    }
  }

  /** Asks once more, and waits a while, so that who stops everything stops those too that answer now. */
  async lastAnswers(): Promise<void> {
    this.askUnknown();
    await within(this.#parts.timers, LAST_ANSWERS_MS, Promise.all(this.#asking.values()), null);
  }

  /** Nothing is taken over any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when all have answered, or none has for a while. */
  async #quiet(open: ReadonlyMap<string, Promise<unknown>>): Promise<void> {
    for (let left = -1; open.size > 0 && open.size !== left; ) {
      left = open.size;
      await within(this.#parts.timers, QUIET_MS, Promise.all(open.values()), null);
    }
  }

  /** Returns null when there is no answer; the reason is logged and shown on the container. */
  async #ask(question: AdoptionQuestion): Promise<AdoptResult | null> {
    const { world, onProblem } = this.#parts;
    const { containerId } = question;
    try {
      const answer = await world.exec.adopt(question);
      world.unanswered.delete(containerId);
      return answer;
    } catch (error) {
      const reason = describeError(toTsdError(error));
      // Asked again and again, it says the same.
      if (this.#stopped || world.unanswered.get(containerId) === reason) return null;
      world.unanswered.set(containerId, reason);
      onProblem(`${containerId.slice(0, 12)}: ${reason}`);
      return null;
    }
  }

  #expect(id: string, answering: Promise<AdoptResult | null>): void {
    this.#asking.set(
      id,
      answering.then((answer) => this.#conclude(id, answer)),
    );
  }

  /** Takes over a run that the start, or a look at everything, did not wait for. */
  async #conclude(id: string, answer: AdoptResult | null): Promise<void> {
    const { world, onProblem, onAnswer } = this.#parts;
    const record = world.containers.get(id);
    const attempt = attempting(this.#parts);
    try {
      if (answer !== null && !this.#stopped && record && isUnknown(record)) {
        await takeOverRuns(world, restoreInput(world, [record]), new Map([[id, answer]]), this.#parts);
        restoreEndpoints(world, [record], attempt);
      }
    } catch (error) {
      onProblem(`${id.slice(0, 12)}: ${describeError(toTsdError(error))}`);
    }
    this.#asking.delete(id);
    if (record?.owner) onAnswer(record.owner.key);
  }
}
