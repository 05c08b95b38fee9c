/** Servers that tests start on this host: a port for one, and its end. */
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { lease } from './leases.ts';

/** Below the ports that the kernel and tsdocker pick by themselves. */
const PORTS = { first: 20_000, count: 10_000 };

/** Whether nothing of this host uses the port, on any address. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((done) => {
    server.once('error', () => done(false));
    server.listen(port, () => done(true));
  });
  if (free) await new Promise((done) => server.close(done));
  return free;
}

/** A free TCP port, which no other test gets as long as this process lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + randomInt(PORTS.count);
    if (lease(`port-${port}`) && (await isFree(port))) return port;
  }
}

/** Kills a server and waits until it is gone. */
export async function endServer(child: ChildProcess | null): Promise<void> {
  // One that could not be spawned never ends.
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGKILL');
  await gone;
}
