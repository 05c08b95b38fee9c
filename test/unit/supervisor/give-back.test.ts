import { expect, test } from 'vitest';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { type GiveBackPorts, giveHostBack } from '../../../src/supervisor/give-back.ts';
import type { Logger } from '../../../src/supervisor/log.ts';
import { containerRecord } from '../../support/container-record.ts';
import { ManualTime, settled } from '../../support/manual-time.ts';

/** A host with a bridge and a control group. */
class Host {
  readonly time = new ManualTime();
  readonly left = new Set(['bridge', 'group']);
  readonly errors: string[] = [];
  /** Failures of the next tries. */
  failures = 0;
  isRunning = false;
  /** Processes that no run is known of leave then. */
  leavesAtMs = 0;
  readonly #log = { info: () => {}, error: (_: object, text: string) => this.errors.push(text) } as unknown as Logger;

  readonly ports: GiveBackPorts = {
    containers: { all: () => [containerRecord()] },
    exec: {
      running: () => (this.isRunning ? ({} as never) : null),
      alive: () => this.isRunning || this.time.now().bootMs < this.leavesAtMs,
      giveBack: () => this.left.delete('group'),
    },
    network: {
      giveBack: () => {
        if (this.failures-- > 0) throw new TsdError('TSD_NETWORK', 'lost', { class: 'unavailable' });
        this.left.delete('bridge');
        return [];
      },
    },
    timers: this.time,
  };

  /** What is left when so much time has gone by. */
  async giveBack(ms: number): Promise<readonly string[]> {
    const done = giveHostBack(this.ports, this.#log);
    for (let passed = 0; passed < ms; passed += 10) {
      await settled();
      await this.time.advance(10);
    }
    await done;
    return [...this.left];
  }
}

test('a failure that passes leaves nothing behind', async () => {
  const host = new Host();
  host.failures = 2;
  expect(await host.giveBack(200)).toEqual([]);
  expect(host.errors).toEqual([]);
});

test('a failure that stays is logged, and what does not depend on it goes', async () => {
  const host = new Host();
  host.failures = 100;
  expect(await host.giveBack(200)).toEqual(['bridge']);
  expect(host.errors).toEqual([expect.stringContaining('the host was not fully restored: lost')]);
});

test('processes of ended containers have a moment to leave', async () => {
  const host = new Host();
  host.leavesAtMs = host.time.now().bootMs + 300;
  expect(await host.giveBack(400)).toEqual([]);
});

test('everything stays for processes that stay, and for a container that runs', async () => {
  const host = new Host();
  host.leavesAtMs = Number.POSITIVE_INFINITY;
  expect(await host.giveBack(2_000)).toEqual(['bridge', 'group']);
  host.isRunning = true;
  expect(await host.giveBack(0)).toEqual(['bridge', 'group']);
});
