/** Starts and ends of runs whose files cannot be written or removed: running containers are known, and ends are reported. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ShimConnection } from '../../../src/drivers/exec/native/shim/shim-connection.ts';
import { REQUEST } from '../../../src/drivers/exec/native/shim/shim-protocol.ts';
import { until } from '../../support/wait.ts';
import { Containers } from './fixture.ts';

let containers: Containers;
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

const stateFile = (id: string): string => join(containers.instance.root, 'execdriver/native', id, 'state.json');

describe('a run', () => {
  it('whose state cannot be written is stopped and can be started again', async () => {
    const spec = containers.spec(['sleep', '1000']);
    const inTheWay = `${stateFile(spec.containerId)}.tmp`;
    mkdirSync(inTheWay, { recursive: true });
    await expect(containers.driver.start(spec)).rejects.toThrow('EISDIR');
    expect(containers.driver.running(spec.containerId)).toBeNull();
    expect(containers.cgroups.list()).not.toContain(spec.containerId);
    rmdirSync(inTheWay);
    await containers.driver.start(spec);
    expect((await containers.exec(spec.containerId, 'ps | grep -c "[s]leep 1000"')).out).toBe('1');
  });

  it('whose state cannot be removed has still ended', async () => {
    const spec = containers.spec(['sh', '-c', 'read line; exit 5'], { stdin: true });
    await containers.driver.start(spec);
    const path = stateFile(spec.containerId);
    rmSync(path);
    mkdirSync(path);
    const session = await containers.driver.attach(spec.containerId);
    session.stdin?.end('x\n');
    expect((await containers.result(spec)).exitCode).toBe(5);
    expect(containers.driver.running(spec.containerId)).toBeNull();
    rmdirSync(path);
    expect((await containers.run({ ...spec, run: 2, argv: ['true'] })).exitCode).toBe(0);
  });

  it('whose end is not recorded yet passes no terminal input from one client to another', async () => {
    const spec = containers.spec(['sh', '-c', 'read line; exit 3'], { stdin: true, tty: true });
    await containers.driver.start(spec);
    const record = join(containers.instance.root, 'execdriver/native', spec.containerId, 'exit.1');
    mkdirSync(record);
    const session = await containers.driver.attach(spec.containerId);
    session.stdin?.write('x\n');
    await until('the end without a record', () => containers.driver.unrecorded(spec.containerId));
    const socket = join(containers.instance.runDir, 'shim', `${spec.containerId.slice(0, 12)}.1.sock`);
    const connect = () => ShimConnection.connect(socket, ShimConnection.ofSession);
    const [other, sender] = [connect(), connect()];
    try {
      expect(await other?.status()).toMatchObject({ ended: true });
      expect(await sender?.request(REQUEST.input, Buffer.from('secret'))).toBe(constants.errno.EPIPE);
      expect(await other?.status()).toMatchObject({ ended: true });
    } finally {
      other?.close();
      sender?.close();
    }
    rmdirSync(record);
    expect((await containers.result(spec)).exitCode).toBe(3);
  });

  it('is refused while parts of an earlier run remain', async () => {
    const spec = containers.spec(['true']);
    const left = spawn('sleep', ['1000']);
    try {
      await once(left, 'spawn');
      const { paths, release } = containers.cgroups.create(spec.containerId, spec.resources, 'all');
      release();
      writeFileSync(join(paths.unified ?? '', 'cgroup.procs'), `${left.pid}`);
      await expect(containers.driver.start(spec)).rejects.toThrow(
        `of an earlier run of ${spec.containerId.slice(0, 12)} there is still process ${left.pid} (sleep)`,
      );
    } finally {
      left.kill('SIGKILL');
      await once(left, 'exit');
    }
    expect((await containers.run(spec)).exitCode).toBe(0);
  });
});
