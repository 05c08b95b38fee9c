import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Instance } from '../../../src/drivers/contract/driver.ts';
import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import { NO_LIMITS } from '../../support/exec-specs.ts';
import { until } from '../../support/wait.ts';
import { Fixture, logText, shell } from './fixture.ts';
import { SHIM_BINARY } from './hand-made.ts';
import { withReusedShimPid } from './shim-of.ts';
import { describeExecDriver } from './suite.ts';

const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };
const makeDriver = (instance: Instance) => createNativeDriver({ instance, clock, shimBinary: SHIM_BINARY });

describeExecDriver('native', { create: makeDriver, staleState: withReusedShimPid });

describe('runs and their control groups', () => {
  let fixture: Fixture;

  beforeEach(() => {
    fixture = new Fixture(makeDriver);
  });
  afterEach(() => fixture.dispose());

  it('a paused run stops, resumes, and can be killed while paused', async () => {
    const spec = fixture.spec(shell('i=0; while :; do i=$((i+1)); echo $i; done'));
    const { pid } = await fixture.driver.start(spec);
    const ticks = () => readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ').slice(13, 15).join();
    await until('output', () => logText(spec.log.path) !== '');
    await fixture.driver.pause(spec.containerId);
    const paused = ticks();
    // Time passes for everyone else.
    await fixture.runToEnd(fixture.spec(shell('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done')));
    expect(ticks()).toBe(paused);
    await fixture.driver.unpause(spec.containerId);
    await until('the run to go on', () => ticks() !== paused);
    await fixture.driver.pause(spec.containerId);
    await fixture.driver.kill(spec.containerId);
    expect(fixture.exits.at(-1)).toMatchObject({ containerId: spec.containerId, exitCode: 137, oomKilled: false });
  });

  it('an OOM kill is reported as such', async () => {
    const spec = fixture.spec(shell('head -c 200000000 /dev/zero | tail -c 200000000 >/dev/null; exit $?'), {
      resources: { ...NO_LIMITS, memoryBytes: 20 << 20, memorySwapBytes: 20 << 20 },
    });
    await fixture.driver.start(spec);
    expect(await fixture.exited(spec.containerId)).toMatchObject({ oomKilled: true });
  });
});
