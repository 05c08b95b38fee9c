/** What a container has of shared memory, of groups, and of the kernel's patience when memory is short. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Containers } from './fixture.ts';

let containers: Containers;
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

const SHM_KIB = "df -k /dev/shm | grep -o '[0-9][0-9]* *[0-9]* *[0-9]* *[0-9]*%'";

it('has 64 MiB of /dev/shm, and as much as is asked for', async () => {
  const usual = await containers.script(SHM_KIB);
  expect(usual.stdout).toMatch(/^65536 /);
  const asked = await containers.script(SHM_KIB, { shmBytes: 2 * 1024 ** 2 });
  expect(asked.stdout).toMatch(/^2048 /);
});

it('has the score that is asked for, and so have its children', async () => {
  const score = 'sh -c "cat /proc/self/oom_score_adj"; true';
  expect((await containers.script(score)).stdout).toBe('0');
  expect((await containers.script(score, { oomScoreAdj: 500 })).stdout).toBe('500');
});

it('has groups besides those of its user, by name and by number', async () => {
  const root = await containers.script('id -G', { groups: ['extra', '77'] });
  expect(root.stdout.split(' ').sort()).toEqual(['0', '2000', '4', '77']);
  const web = await containers.script('id -G', { user: 'web', groups: ['77', 'extra'] });
  expect(web.stdout.split(' ').sort()).toEqual(['1001', '2000', '4', '77']);
});

it('does not start with a group that the image does not know', async () => {
  const start = containers.driver.start(containers.spec(['true'], { groups: ['nope'] }));
  await expect(start).rejects.toMatchObject({ code: 'TSD_USER_NOT_FOUND', step: 'look up group nope' });
});
