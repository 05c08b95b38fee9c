/**
 * Asks the shims of an earlier supervisor's runs whether these still run. A shim that hangs delays no other: until it
 * answers, its container is left alone, because it is unknown whether it runs.
 */
import type { AdoptResult, ExecDriver } from '../../drivers/contract/exec.ts';
import { type Timers, within } from '../../model/clock.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { type RecordedLeasePorts, settleLeases } from '../../reconcile/ops/networks/recorded-leases.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { type AdoptionQuestion, adoptionQuestions, isUnknown } from '../../state/restore.ts';
import { attempting } from './attempt.ts';
import { type RestoredNamePorts, repairNames } from './restored-names.ts';
import { type RestoredNetworkPorts, restoreEndpoints, restoreNetworks } from './restored-networks.ts';
import {
  type AdoptionListeners,
  type AdoptionReport,
  type RestoredRunPorts,
  type RestoreInputPorts,
  restoreInput,
  takeOverRuns,
} from './restored-runs.ts';

/** The start continues when no shim has answered for so long. */
const QUIET_MS = 500;
/** Time limit for shims to answer when everything is stopped. */
const LAST_ANSWERS_MS = 5_000;

export interface AdoptionParts extends AdoptionListeners {
  readonly containers: Pick<ContainerStore, 'all' | 'get'>;
  readonly exec: Pick<ExecDriver, 'adopt'>;
  /** Why it is unknown whether a container still runs, by its id. */
  readonly unanswered: Map<string, string>;
  readonly input: RestoreInputPorts;
  readonly runs: RestoredRunPorts;
  readonly networks: RestoredNetworkPorts;
  readonly names: RestoredNamePorts;
  readonly leases: RecordedLeasePorts;
  readonly timers: Timers;
  /** Called when the known state of a container's run changes. */
  readonly onAnswer: (key: ResourceKey) => void;
}

export class Adoption {
  readonly #parts: AdoptionParts;
  /** Containers whose shim was asked, until its answer is recorded. */
  readonly #asking = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(parts: AdoptionParts) {
    this.#parts = parts;
  }

  /** Takes over every run that the exec driver may know, then networks, names and addresses. */
  async begin(): Promise<AdoptionReport> {
    const { containers, unanswered, runs, networks, names, leases, input: known } = this.#parts;
    const input = restoreInput(known, containers.all());
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
      unanswered.set(id, 'its shim was asked whether it still runs and has not answered yet');
    }
    const report = await takeOverRuns(runs, input, new Map(answers), this.#parts);
    const attempt = attempting(this.#parts);
    restoreNetworks(networks, attempt);
    repairNames(names, attempt);
    settleLeases(leases);
    for (const [id, answering] of late) this.#expect(id, answering);
    return report;
  }

  /** Asks again about runs in an unknown state. Does not wait. */
  askUnknown(): void {
    const { containers, input } = this.#parts;
    const unknown = containers.all().filter((record) => isUnknown(record) && !this.#asking.has(record.id));
    if (unknown.length === 0 || this.#stopped) return;
    for (const question of adoptionQuestions(restoreInput(input, unknown))) {
      this.#expect(question.containerId, this.#ask(question));
    }
  }

  /** Asks once more and waits a bounded time, so that a full stop includes the shims that answer now. */
  async lastAnswers(): Promise<void> {
    this.askUnknown();
    await within(this.#parts.timers, LAST_ANSWERS_MS, Promise.all(this.#asking.values()), null);
  }

  /** Stops taking over runs. */
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
    const { exec, unanswered, onProblem } = this.#parts;
    const { containerId } = question;
    try {
      const answer = await exec.adopt(question);
      unanswered.delete(containerId);
      return answer;
    } catch (error) {
      const reason = describeError(toTsdError(error));
      // Later attempts repeat the same reason.
      if (this.#stopped || unanswered.get(containerId) === reason) return null;
      unanswered.set(containerId, reason);
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
    const { containers, input, runs, networks, onProblem, onAnswer } = this.#parts;
    const record = containers.get(id);
    const attempt = attempting(this.#parts);
    try {
      if (answer !== null && !this.#stopped && record && isUnknown(record)) {
        await takeOverRuns(runs, restoreInput(input, [record]), new Map([[id, answer]]), this.#parts);
        restoreEndpoints(networks, [record], attempt);
      }
    } catch (error) {
      onProblem(`${id.slice(0, 12)}: ${describeError(toTsdError(error))}`);
    }
    this.#asking.delete(id);
    if (record?.owner) onAnswer(record.owner.key);
  }
}
