import { expect, test } from 'vitest';
import { remoteMounts } from '../../../src/ffi/storage/mount-table.ts';

test('lists filesystems that can block, by mount point', () => {
  const text = [
    '22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw',
    '30 22 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw',
    '31 22 0:40 / /home/a\\040b rw shared:9 master:2 - fuse.sshfs host:/ rw,user_id=0',
    '32 22 0:41 /sub /srv/data ro - nfs4 server:/export rw,hard',
    '',
  ].join('\n');
  expect([...remoteMounts(text).values()]).toEqual([
    { id: '31', type: 'fuse.sshfs', place: '/home/a b' },
    { id: '32', type: 'nfs4', place: '/srv/data' },
  ]);
});

test('excludes the filesystems of the host itself', () => {
  expect(remoteMounts('22 1 0:20 / / rw - nfs server:/root rw\n').size).toBe(0);
});
