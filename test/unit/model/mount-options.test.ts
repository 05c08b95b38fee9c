/** Members of a mount that are of one type of mount only. */
import { expect, test } from 'vitest';
import { mount } from '../../../src/model/kinds/mount-forms.ts';

const plain = { source: null, target: '/x', readOnly: false, sizeBytes: null };

test.each<[object, object]>([
  [
    { type: 'tmpfs', target: '/x', exec: false },
    { ...plain, type: 'tmpfs' },
  ],
  [
    { type: 'tmpfs', target: '/x', mode: '0750', owner: '5:6', exec: true },
    { ...plain, type: 'tmpfs', tmpfs: { mode: 0o750, owner: { uid: 5, gid: 6 }, exec: true } },
  ],
  [
    { target: '/x', copy: true },
    { ...plain, type: 'volume' },
  ],
  [
    { source: 'data', target: '/x', copy: false },
    { ...plain, type: 'volume', source: 'data', copy: false },
  ],
])('%o', (written, meaning) => {
  expect(mount.parse(written)).toEqual(meaning);
});

test.each<[object, string]>([
  [{ source: '/srv', target: '/x', mode: '0750' }, 'only a tmpfs has mode'],
  [{ source: 'data', target: '/x', exec: true }, 'only a tmpfs has exec'],
  [{ source: '/srv', target: '/x', copy: false }, 'only a volume starts with the content of the image'],
  [{ type: 'tmpfs', target: '/x', copy: true }, 'only a volume starts with the content of the image'],
  [{ content: 'text', target: '/x', owner: '1' }, 'content is the whole file; owner has no meaning with it'],
])('%o is refused', (written, message) => {
  expect(JSON.stringify(mount.safeParse(written).error?.issues)).toContain(message);
});
