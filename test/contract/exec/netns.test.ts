import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNetnsOf } from '../../../src/drivers/exec/native/netns.ts';
import { createNetns, inNetns, namespaceIdentity } from '../../../src/ffi/process/namespaces.ts';
import { until } from '../../support/wait.ts';

describe('the network namespace of a run', () => {
  let netns: number;
  let children: ChildProcess[] = [];

  beforeEach(() => {
    netns = createNetns(() => {});
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children = [];
    closeSync(netns);
  });

  function start(command: string, args: readonly string[], held: readonly number[] = []): number {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'ignore', ...held] });
    children.push(child);
    return child.pid as number;
  }

  const payload = (): number => inNetns(netns, () => start('sleep', ['1000']));
  const shim = (held: readonly number[] = []): number => start('sleep', ['1000'], held);

  /** A payload that has made itself a network of its own, without rights on the host. */
  async function leaver(): Promise<number> {
    const script = 'exec setpriv --reuid 1000 unshare --user --map-root-user --net sleep 1000';
    const pid = inNetns(netns, () => start('sh', ['-c', script]));
    await until('the payload has left', () => statSync(`/proc/${pid}/ns/net`).ino !== fstatSync(netns).ino);
    return pid;
  }

  function expectFound(run: { readonly pid: number; readonly shimPid: number }): void {
    const found = openNetnsOf(run);
    try {
      expect(namespaceIdentity(found)).toBe(namespaceIdentity(netns));
    } finally {
      closeSync(found);
    }
  }

  it('is found by a process in it, below a shim that does not hold it', () =>
    expectFound({ shimPid: shim(), pid: payload() }));

  it('is found by a shim that has it open, also when the payload left it', async () =>
    expectFound({ shimPid: shim([netns]), pid: await leaver() }));

  it('is never one that the payload created', async () => {
    const pid = await leaver();
    expect(() => openNetnsOf({ shimPid: shim(), pid })).toThrow(
      `the first process (${pid}) of the container has left its network for one of its own`,
    );
  });

  it("is never the host's", () => {
    expect(() => openNetnsOf({ shimPid: shim(), pid: shim() })).toThrow(/none but the host's/);
  });
});
