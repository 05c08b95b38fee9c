import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Instance } from '../../../src/drivers/contract/driver.ts';
import { openExecDriver } from '../../../src/drivers/exec/open.ts';
import { EXEC_DRIVERS } from '../../../src/drivers/registry.ts';
import { readSysinfo } from '../../../src/ffi/host/sysinfo.ts';
import { NO_LIMITS } from '../../support/exec-specs.ts';
import { until } from '../../support/wait.ts';
import { Fixture, logText, shell } from './fixture.ts';
import { SHIM_BINARY } from './hand-made.ts';
import { capabilitiesWithout, driverWithout } from './partial-driver.ts';
import { withReusedShimPid } from './shim-of.ts';
import { ALL_CAPABILITIES, describeExecDriver } from './suite.ts';

const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };
const DRIVERS = { ...EXEC_DRIVERS, partial: driverWithout('exec', 'pause') };
const sysinfo = readSysinfo();

/** As a supervisor opens the one that is asked for. */
const opened = (name: string) => (instance: Instance) =>
  openExecDriver(DRIVERS, name, { instance, clock, shimBinary: SHIM_BINARY, sysinfo });
const makeDriver = opened('native');

describeExecDriver('native', {
  create: makeDriver,
  capabilities: ALL_CAPABILITIES,
  staleState: withReusedShimPid,
});
describeExecDriver('partial', {
  create: opened('partial'),
  capabilities: capabilitiesWithout(['exec', 'pause']),
  staleState: withReusedShimPid,
});

it('an exec driver that the registry does not have is refused, with the names that it has', () => {
  const instance = { id: 'abc123', root: '/nonexistent', runDir: '/nonexistent' };
  expect(() => opened('lxc')(instance)).toThrow('unknown exec driver lxc; there are native, partial');
  expect(() => opened('toString')(instance)).toThrow(expect.objectContaining({ code: 'TSD_DRIVER_UNKNOWN' }));
});

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
