import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskSpec } from '../../../src/drivers/contract/exec.ts';
import { execSpec, NO_LIMITS } from '../../support/exec-specs.ts';
import { Containers } from './fixture.ts';

let containers: Containers;
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

async function running(changes: Partial<TaskSpec> = {}): Promise<string> {
  const spec = containers.spec(['sleep', '1000'], changes);
  await containers.driver.start(spec);
  return spec.containerId;
}

it('runs in a container that may open as good as nothing', async () => {
  const spec = containers.spec(['sleep', '1000'], { ulimits: { nofile: { soft: 4, hard: 5 } } });
  await containers.driver.start(spec);
  const { code, out } = await containers.exec(spec.containerId, 'ulimit -n; ulimit -Hn');
  expect({ code, out }).toEqual({ code: 0, out: '4\n5' });
});

describe('an exec session', () => {
  it('is in the namespaces and groups of the container', async () => {
    const id = await running({ resources: { ...NO_LIMITS, pids: 50 } });
    const { code, out } = await containers.exec(
      id,
      'for n in mnt uts ipc pid net cgroup; do test "$(readlink /proc/1/ns/$n)" = "$(readlink /proc/self/ns/$n)" || echo $n; done; cat /proc/1/comm; hostname; cat /proc/1/cgroup > /tmp/one; cat /proc/self/cgroup > /tmp/self; busybox cmp /tmp/one /tmp/self && echo same; ls /proc/$$/fd; true',
    );
    expect(out.split('\n')).toEqual(['sleep', 'box', 'same', '0', '1', '2']);
    expect(code).toBe(0);
  });

  it('has the privileges, limits and environment of the container and no more', async () => {
    const id = await running({
      env: ['PATH=/bin', 'FROM=spec', 'OVER=1'],
      capabilities: ['CHOWN', 'KILL'],
      noNewPrivileges: true,
      ulimits: { nofile: { soft: 77, hard: 88 } },
    });
    const { out } = await containers.exec(
      id,
      'grep -E "CapBnd|CapEff|NoNewPrivs" /proc/self/status; ulimit -n; echo $FROM $OVER $HOME; pwd',
      {
        env: ['OVER=2'],
        user: 'web',
        cwd: '/tmp',
      },
    );
    expect(out.split('\n')).toEqual([
      'CapEff:\t0000000000000000',
      'CapBnd:\t0000000000000021',
      'NoNewPrivs:\t1',
      '77',
      'spec 2 /home/web',
      '/tmp',
    ]);
  });

  it('has all privileges when asked for, within the filter of the run', async () => {
    const mount = 'mount -t tmpfs none /tmp && echo mounted';
    const open = await running({ capabilities: [], noNewPrivileges: true, seccomp: 'unconfined' });
    expect((await containers.exec(open, mount, { privileged: true })).out).toBe('mounted');
    const filtered = await running({ capabilities: [], noNewPrivileges: true });
    const { out } = await containers.exec(filtered, `grep -E 'CapEff|Seccomp' /proc/self/status; ${mount} 2>&1`, {
      privileged: true,
    });
    expect(out).toMatch(/CapEff:\t000001.{10}\nSeccomp:\t2\nSeccomp_filters:\t1\nmount: permission denied/);
  });

  it('is under the device filter of the container', async () => {
    const id = await running();
    const { out } = await containers.exec(id, 'mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem');
    expect(out).toContain('Operation not permitted');
  });

  it('of a missing program or in a removed container is an error', async () => {
    const id = await running();
    await expect(containers.driver.exec(id, execSpec(['none']))).rejects.toMatchObject({
      code: 'TSD_COMMAND_NOT_FOUND',
    });
    await expect(containers.exec(id, 'true', { user: 'nobody' })).rejects.toMatchObject({ code: 'TSD_USER_NOT_FOUND' });
    await containers.driver.kill(id);
    await expect(containers.exec(id, 'true')).rejects.toMatchObject({ code: 'TSD_CONTAINER_NOT_RUNNING' });
  });
});
