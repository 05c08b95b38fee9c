import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Beneath } from '../../../src/ffi/files/beneath.ts';
import { parseOwner } from '../../../src/images/build/files/owners.ts';

let directory: string;
let stage: Beneath;
beforeEach(() => {
  directory = mkdtempSync('/tmp/tsd-test-');
  mkdirSync(join(directory, 'etc'));
  stage = Beneath.open(directory);
});
afterEach(() => {
  stage.close();
  rmSync(directory, { recursive: true });
});

it.each([
  ['web', { uid: 5, gid: 6 }],
  ['web:7', { uid: 5, gid: 7 }],
  ['5', { uid: 5, gid: 6 }],
  ['9', { uid: 9, gid: 9 }],
  ['9:web', { uid: 9, gid: 6 }],
  // Names that the stage made of numbers.
  ['42', { uid: 42, gid: 42 }],
  ['42:77', { uid: 42, gid: 77 }],
])('--chown=%s', (text, owner) => {
  writeFileSync(join(directory, 'etc/passwd'), '42:x:0:0::/:\nweb:x:5:6::/home/web:\n');
  writeFileSync(join(directory, 'etc/group'), '77:x:0:\nweb:x:6:\n');
  expect(parseOwner(text, stage, { file: 'Dockerfile', line: 1, source: `COPY --chown=${text} a b` })).toEqual(owner);
});
