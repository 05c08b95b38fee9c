/** Updates under random edits, ends, time and crashes of the supervisor. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DesiredState } from '../../../src/model/desired.ts';
import { nextKey, oldKey } from '../../../src/model/update.ts';
import { declare } from '../../support/declare.ts';
import { formatPlan } from '../../support/format-plan.ts';
import { planOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const WEB = 'container/blog/web';
const BESIDE = [WEB, nextKey(WEB), oldKey(WEB)] as const;
const ORDERS = ['start-first', 'stop-first'] as const;

type Happening =
  | { readonly what: 'edit'; readonly mode: string }
  | { readonly what: 'exit'; readonly key: (typeof BESIDE)[number]; readonly code: number | null }
  | { readonly what: 'time'; readonly ms: number }
  /** A pass of which only the first ops are carried out. */
  | { readonly what: 'crash'; readonly ops: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ what: fc.constant('edit' as const), mode: fc.constantFrom('one', 'two', 'three') }),
  fc.record({
    what: fc.constant('exit' as const),
    key: fc.constantFrom(...BESIDE),
    code: fc.constantFrom(0, 1, 137, null),
  }),
  fc.record({ what: fc.constant('time' as const), ms: fc.constantFrom(100, 2_000, 5_000, 40_000) }),
  fc.record({ what: fc.constant('crash' as const), ops: fc.nat(4) }),
);

const history = fc.record({ order: fc.constantFrom(...ORDERS), events: fc.array(happening, { maxLength: 12 }) });
type Order = (typeof ORDERS)[number];

/** A host with its manifests: an edit is a new generation, and a failed update takes them back to what ran before. */
class Story {
  readonly host = new PureHost();
  readonly order: Order;
  desired: DesiredState;
  #good = 'one';
  #mode = 'one';
  #generation = 1;

  constructor(order: Order) {
    this.order = order;
    this.desired = this.#declare('one');
    this.host.applyAll(planOn(this.host, this.desired).ops, this.desired);
  }

  #declare(mode: string, heldBack = false): DesiredState {
    const update = { order: this.order, timeout: '30s', drain: '5s' };
    const web = { env: { MODE: mode }, ports: ['8080:80'], restart: 'always', update };
    const state = declare({ blog: { images: { app: './app.tar' }, containers: { web } } }, this.#generation);
    return heldBack ? { ...state, heldBack: new Map([['blog', { reason: 'update failed', failed: true }]]) } : state;
  }

  edit(mode: string, heldBack = false): void {
    this.#generation++;
    this.#mode = mode;
    this.desired = this.#declare(mode, heldBack);
  }

  #modeOf(specHash: string | undefined): string | undefined {
    return ['one', 'two', 'three'].find((mode) => this.#declare(mode).resources.get(WEB)?.specHash === specHash);
  }

  /** One pass; as a supervisor that dies after so many ops when a number is given. Returns what was planned. */
  pass(limit = Number.POSITIVE_INFINITY): string {
    const plan = planOn(this.host, this.desired);
    for (const op of plan.ops.slice(0, limit)) {
      this.#good = this.#modeOf(this.host.updates.get(WEB)?.from.specHash) ?? this.#good;
      const failures = this.host.rolledBack.length;
      this.host.apply(op, this.desired);
      this.expectFewPayloads();
      if (this.host.rolledBack.length === failures) continue;
      const update = this.host.updates.get(WEB);
      // A spec that is the good one itself has nothing to go back to. Else the rest of the plan was made for
      // manifests that hold no more.
      if (this.#good === this.#mode && update) this.host.updates.set(WEB, { ...update, final: true });
      else this.edit(this.#good, true);
      break;
    }
    return plan.ops.length === 0 ? '' : formatPlan(plan);
  }

  expectFewPayloads(): void {
    const running = BESIDE.filter((key) => this.host.containers.get(key)?.running === true);
    expect(running.length, running.join()).toBeLessThanOrEqual(this.order === 'start-first' ? 2 : 1);
    if (this.host.containers.has(nextKey(WEB))) expect(this.order).toBe('start-first');
  }

  happen(event: Happening): void {
    if (event.what === 'edit') this.edit(event.mode);
    else if (event.what === 'time') this.host.bootMs += event.ms;
    else if (event.what === 'crash') this.pass(event.ops);
    else if (this.host.containers.get(event.key)?.running) this.host.exit(event.key, event.code, 100);
    if (event.what !== 'crash') this.pass();
  }

  /** Lets time go by until nothing is left to do. */
  settle(): void {
    for (let round = 0; round < 30; round++) {
      this.host.bootMs += 3_000;
      const planned = this.pass();
      const goesOn = this.host.updates.get(WEB)?.failure === null;
      if (planned === '' && !goesOn && this.host.containers.size === 1) return;
    }
    expect(formatPlan(planOn(this.host, this.desired))).toBe('settled');
  }
}

/** The last edit names what the first update began from, and fails; meanwhile another one was started in its place. */
const AFTER_A_FALLBACK: { order: Order; events: Happening[] } = {
  order: 'start-first',
  events: [
    { what: 'edit', mode: 'three' },
    { what: 'exit', key: WEB, code: 0 },
    { what: 'edit', mode: 'two' },
    { what: 'edit', mode: 'one' },
    { what: 'exit', key: nextKey(WEB), code: 137 },
  ],
};

test('any history ends with one payload of the desired spec and an empty plan', () => {
  return fc.assert(
    fc.property(history, ({ order, events }) => {
      const story = new Story(order);
      for (const event of events) story.happen(event);
      story.settle();
      const { host, desired } = story;
      expect([...host.containers.keys()]).toEqual([WEB]);
      expect(host.container(WEB).running).toBe(true);
      // A spec that failed beside what runs and has nothing to go back to is held; what runs continues.
      const isHeld = order === 'start-first' && host.updates.get(WEB)?.final === true;
      if (!isHeld) expect(host.container(WEB).specHash).toBe(desired.resources.get(WEB)?.specHash);
      expect(planOn(host, desired).ops).toEqual([]);
    }),
    { numRuns: 300, examples: [[AFTER_A_FALLBACK]] },
  );
});

test('a failed update returns to the earlier spec, and is reported once', () => {
  return fc.assert(
    fc.property(
      fc.constantFrom(...ORDERS),
      fc.constantFrom('two', 'three'),
      fc.constantFrom(1, 137),
      fc.boolean(),
      fc.array(fc.nat(4), { maxLength: 4 }),
      (order, mode, code, drains, crashes) => {
        const story = new Story(order);
        const good = story.desired.resources.get(WEB)?.specHash;
        story.edit(mode);
        const wanted = story.desired.resources.get(WEB)?.specHash;
        story.pass();
        if (drains && order === 'start-first') {
          story.host.bootMs += 2_000;
          story.pass();
        }
        const failing = BESIDE.find((key) => story.host.containers.get(key)?.specHash === wanted);
        if (failing) story.host.exit(failing, code, 100);
        for (const ops of crashes) story.pass(ops);
        story.settle();
        expect(story.host.container(WEB)).toMatchObject({ running: true, specHash: good });
        expect(story.host.rolledBack).toEqual([expect.stringContaining(`exited with ${code}`)]);
      },
    ),
  );
});
