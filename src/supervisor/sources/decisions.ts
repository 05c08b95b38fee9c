/** What waits for a person: a held removal, pinned apps, apps whose declaration is not certain. */
import type { Actor } from '../../model/actor.ts';
import type { Clock } from '../../model/clock.ts';
import type { DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Declaration } from '../../state/databases/declaration.ts';
import type { History } from '../../state/history/history.ts';
import { generationOf, merged } from '../declarations/declarations.ts';
import { type Choice, choicesOf, withChoice, withoutHolds } from '../declarations/held-apps.ts';
import { appendGeneration, storedGeneration } from '../declarations/start.ts';
import type { AcceptedSources } from './accepted-sources.ts';
import type { KeptContents } from './kept-contents.ts';
import { withoutPins } from './source-pins.ts';
import { type HeldRemoval, restoreSources, type SourceSet } from './source-set.ts';
import type { WatchedDirectory } from './watched-directory.ts';

export interface DecisionParts {
  readonly accepted: AcceptedSources;
  readonly directory: WatchedDirectory;
  readonly history: History;
  readonly kept: KeptContents;
  readonly clock: Clock;
}

/** The change that removes the whole watched directory. */
const WITHOUT_DIRECTORY: Partial<SourceSet> = { held: null, watched: new Map(), remembered: new Map() };

export class Decisions {
  readonly #parts: DecisionParts;

  constructor(parts: DecisionParts) {
    this.#parts = parts;
  }

  get #set(): SourceSet {
    return this.#parts.accepted.set;
  }

  get heldRemoval(): HeldRemoval | null {
    return this.#set.held;
  }

  /** Carries out a held removal. Returns its directory, or null when none is held. */
  approveRemoval(by: Actor | null): string | null {
    const { held } = this.#set;
    if (!held) return null;
    this.#parts.accepted.adopt(WITHOUT_DIRECTORY, { cause: `removal of ${held.directory} approved`, by });
    return held.directory;
  }

  /** Returns the desired state after {@link approveRemoval}, without a change. */
  previewRemoval(): DesiredState {
    return this.#parts.accepted.preview(WITHOUT_DIRECTORY).state;
  }

  /**
   * Releases the pins of apps given by app or file name (none: all) and accepts their current manifests. Returns the apps.
   */
  approvePins(names: readonly string[], by: Actor | null): readonly string[] {
    const released = Object.entries(this.#set.pins)
      .filter(
        ([app, { sources }]) =>
          names.length === 0 || [app, ...sources.map(({ origin }) => origin)].some((name) => names.includes(name)),
      )
      .map(([app]) => app);
    if (released.length === 0) return [];
    const pins = withoutPins(this.#set.pins, released);
    this.#parts.accepted.adopt({ pins }, { cause: `${released.join(', ')} approved`, by });
    return released;
  }

  /** Returns the pinned apps with the reason and the desired state after {@link approvePins} of each. */
  previewPins(): { readonly app: string; readonly reason: string; readonly state: DesiredState }[] {
    const { pins } = this.#set;
    return Object.entries(pins).map(([app, { reason }]) => {
      return { app, reason, state: this.#parts.accepted.preview({ pins: withoutPins(pins, [app]) }).state };
    });
  }

  /** Returns each candidate declaration of the uncertain apps with the desired state it would lead to. */
  previewChoices(): { readonly choice: Choice; readonly state: DesiredState }[] {
    const { accepted, directory } = this.#parts;
    return choicesOf(this.#set.holds).map((choice) => {
      const chosen = withChoice(this.#set, choice, { generation: accepted.generation, looked: directory.looked });
      return { choice, state: accepted.preview(chosen).state };
    });
  }

  /**
   * Accepts a candidate declaration for each app, named `APP@NAME`. Returns the names.
   * @throws TsdError TSD_BAD_REQUEST for an app without a candidate, or for two candidates of one app
   */
  approveChoices(names: readonly string[], by: Actor | null): readonly string[] {
    const { holds } = this.#set;
    const chosen = choicesOf(holds).filter(({ name }) => names.includes(name));
    const apps = chosen.map(({ held }) => held.app);
    const vague = names.find((name) => holds.has(name)) ?? apps.find((app, index) => apps.indexOf(app) !== index);
    if (vague !== undefined) {
      const each = choicesOf(holds).filter(({ held }) => held.app === vague);
      throw new TsdError('TSD_BAD_REQUEST', `${vague} waits because ${holds.get(vague)?.reason}`, {
        hint: `Say which declaration holds: ${each.map(({ name }) => `\`tsdocker approve ${name}\``).join(' or ')}; \`tsdocker plan\` shows them.`,
      });
    }
    for (const choice of chosen) this.#choose(choice, by);
    return chosen.map(({ name }) => name);
  }

  /** Stores the chosen declaration as a generation, then restores the sources from the store as a start does. */
  #choose({ held, candidate, name }: Choice, by: Actor | null): void {
    const { accepted, directory, history, kept } = this.#parts;
    const cause = `${name} approved: ${held.app} ${candidate.says}`;
    const holds = withoutHolds(this.#set.holds, new Set([held.app]));
    const { declaration } = candidate;
    if (declaration === null) {
      accepted.adopt({ holds }, { cause, by });
      return;
    }
    this.#store(declaration, cause, new Set(holds.keys()));
    const { remembered: known, ...restored } = restoreSources(history, (of) => kept.of(of));
    const { watched, held: removal, remembered: past } = this.#set;
    const remembered = directory.looked ? past : known;
    accepted.adopt({ ...restored, watched, held: removal, remembered, holds }, { cause, by });
  }

  #store(declaration: Declaration, cause: string, held: ReadonlySet<string>): void {
    const { accepted, history, clock } = this.#parts;
    const n = accepted.generation + 1;
    const current = storedGeneration(history, accepted.generation) ?? generationOf([], n);
    history.durable(() => {
      const next = merged(current, generationOf([declaration], n));
      appendGeneration(history, next, { n, cause, nowMs: clock.now().wallMs });
      history.holds.keep(held);
    });
  }
}
