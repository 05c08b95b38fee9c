import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Containers, hostMounts } from './fixture.ts';

describe('a container from inside', () => {
  let containers: Containers;
  beforeEach(() => {
    containers = new Containers();
  });
  afterEach(() => containers.dispose());

  it('sees its own processes, names and mounts only', async () => {
    const before = hostMounts();
    const { stdout, stderr, exitCode } = await containers.script(
      'echo $$; hostname; pwd; id; ls /dev; cut -d" " -f2,3 /proc/mounts; ls /proc/self/fd; echo ok',
      {},
    );
    console.log(stdout, stderr);
    expect(exitCode).toBe(0);
    expect(hostMounts()).toBe(before);
  });
});
