import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readFinishedFile } from '../../../src/manifest/source/files.ts';
import { scanDirectory } from '../../../src/manifest/source/scan.ts';
import { type DirectorySnapshot, type ManifestWatcher, watchManifests } from '../../../src/manifest/source/watch.ts';
import type { TsdError } from '../../../src/model/errors/errors.ts';
import { LOCAL_PATHS } from '../../support/local-paths.ts';

/** Times the clock was asked: the watcher asks at each look. */
let looks = 0;
const clock = {
  now: () => {
    looks++;
    return { wallMs: Date.now(), bootMs: performance.now() };
  },
};
const severalLooks = () => {
  const before = looks;
  return expect.poll(() => looks).toBeGreaterThan(before + 4);
};

let root: string;
let directory: string;
let watcher: ManifestWatcher | null;
let snapshots: DirectorySnapshot[];
let problems: TsdError[];

function start(knownFiles = 0): void {
  watcher = watchManifests(directory, {
    onChange: (snapshot) => void snapshots.push(snapshot),
    onProblem: (error) => problems.push(error),
    clock,
    files: LOCAL_PATHS,
    knownFiles,
  });
}

/** `name: text` of the newest snapshot. */
function current(): Record<string, string> {
  const files = snapshots.at(-1)?.files ?? [];
  return Object.fromEntries(
    files.map(({ path, content }) => [basename(path), content.ok ? content.text : `error: ${content.message}`]),
  );
}

const put = (name: string, text: string): void => writeFileSync(join(directory, name), text);
const becomes = (files: Record<string, string>) => expect.poll(current).toEqual(files);
const untilTold = (count: number) => expect.poll(() => snapshots.length).toBeGreaterThanOrEqual(count);

beforeEach(() => {
  root = mkdtempSync('/tmp/tsd-test-watch-');
  directory = join(root, 'manifests');
  mkdirSync(directory);
  snapshots = [];
  problems = [];
  watcher = null;
});

afterEach(async () => {
  await watcher?.close();
  rmSync(root, { recursive: true, force: true });
  expect(problems).toEqual([]);
});

describe('a manifest', () => {
  test('is never an editor, backup or hidden file', async () => {
    for (const name of ['.a.yaml', 'a.yaml~', '.a.yaml.swp', '#a.yaml#', 'a.yaml.tmp', '4913', '~$a.yaml', 'a.json']) {
      put(name, 'noise');
    }
    put('a.yaml', 'one');
    put('b.yml', 'two');
    mkdirSync(join(directory, 'sub'));
    put('sub/c.yaml', 'below');
    start();
    await becomes({ 'a.yaml': 'one', 'b.yml': 'two' });
  });

  test('that is unreadable is reported, not ignored', async () => {
    put('binary.yaml', '');
    writeFileSync(join(directory, 'binary.yaml'), Buffer.from([0xff, 0xfe, 0x00]));
    execFileSync('mkfifo', [join(directory, 'pipe.yaml')]);
    mkdirSync(join(directory, 'folder.yaml'));
    put('large.yaml', 'x'.repeat(1024 ** 2 + 1));
    start();
    await becomes({
      'binary.yaml': 'error: the file is not text in UTF-8',
      'folder.yaml': `error: ${directory}/folder.yaml: not a regular file`,
      'large.yaml': `error: ${directory}/large.yaml: larger than 1 MiB`,
      'pipe.yaml': `error: ${directory}/pipe.yaml: not a regular file`,
    });
  });
});

describe('a change', () => {
  test('of a file is reported: added, edited, renamed, removed', async () => {
    start();
    await untilTold(1);
    expect(current()).toEqual({});
    put('a.yaml', 'one');
    await becomes({ 'a.yaml': 'one' });
    put('a.yaml', 'two');
    await becomes({ 'a.yaml': 'two' });
    renameSync(join(directory, 'a.yaml'), join(directory, 'b.yaml'));
    await becomes({ 'b.yaml': 'two' });
    unlinkSync(join(directory, 'b.yaml'));
    await becomes({});
    expect(snapshots.at(-1)?.loss).toBe('none');
  });

  test('by vim is one change: the file is renamed, a new one written, the backup removed', async () => {
    put('a.yaml', 'one');
    put('b.yaml', 'other');
    start();
    await untilTold(1);
    for (let round = 0; round < 5; round++) {
      put('4913', '');
      unlinkSync(join(directory, '4913'));
      renameSync(join(directory, 'a.yaml'), join(directory, 'a.yaml~'));
      put('a.yaml', `round ${round}`);
      unlinkSync(join(directory, 'a.yaml~'));
      await becomes({ 'a.yaml': `round ${round}`, 'b.yaml': 'other' });
    }
    // The file was never taken for removed in between.
    expect(snapshots.every(({ files }) => files.length === 2)).toBe(true);
  });

  test('of several files at once is one change', async () => {
    start();
    await untilTold(1);
    for (let index = 0; index < 20; index++) put(`app-${index}.yaml`, `text ${index}`);
    await untilTold(2);
    expect(snapshots.map(({ files }) => files.length)).toEqual([0, 20]);
  });

  test('waits, with all files, for a file that is still being written', async () => {
    start();
    await untilTold(1);
    const fd = openSync(join(directory, 'slow.yaml'), 'w');
    try {
      put('quick.yaml', 'quick');
      for (let part = 0; part < 8; part++) {
        writeSync(fd, `part ${part}\n`);
        await severalLooks();
        expect(snapshots).toHaveLength(1);
      }
    } finally {
      closeSync(fd);
    }
    await untilTold(2);
    expect(Object.keys(current())).toEqual(['quick.yaml', 'slow.yaml']);
    expect(current()['slow.yaml']?.split('\n')).toHaveLength(9);
  });

  test('does not wait for ever for a file that stays open for writing', async () => {
    put('stuck.yaml', 'before');
    start();
    await becomes({ 'stuck.yaml': 'before' });
    const fd = openSync(join(directory, 'stuck.yaml'), 'a');
    try {
      writeSync(fd, ' and more');
      put('quick.yaml', 'quick');
      await becomes({ 'quick.yaml': 'quick', 'stuck.yaml': 'before' });
    } finally {
      closeSync(fd);
    }
    await becomes({ 'quick.yaml': 'quick', 'stuck.yaml': 'before and more' });
  });

  test('survives writers that open and close at any moment', async () => {
    put('busy.yaml', 'start\n');
    start();
    await untilTold(1);
    const path = join(directory, 'busy.yaml');
    const writer = spawn('sh', ['-c', 'i=0; while [ $i -lt 3000 ]; do echo "$i" >> "$0"; i=$((i+1)); done', path]);
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    try {
      await ended;
    } finally {
      writer.kill('SIGKILL');
    }
    await expect.poll(() => current()['busy.yaml']?.endsWith('\n2999\n')).toBe(true);
  });
});

describe('a link or directory', () => {
  test('of a Kubernetes volume is followed through ..data, which is replaced in one step', async () => {
    const version = (name: string, text: string) => {
      mkdirSync(join(directory, name));
      put(`${name}/a.yaml`, text);
      symlinkSync(name, join(directory, '..data_tmp'));
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    version('..2026_1', 'one');
    symlinkSync('..data/a.yaml', join(directory, 'a.yaml'));
    start();
    await becomes({ 'a.yaml': 'one' });
    version('..2026_2', 'two');
    await becomes({ 'a.yaml': 'two' });
    expect(snapshots).toHaveLength(2);
  });

  test('into another directory is followed, also for the watched directory itself', async () => {
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'real.yaml'), 'one');
    symlinkSync(join(elsewhere, 'real.yaml'), join(directory, 'a.yaml'));
    const link = join(root, 'link');
    symlinkSync(directory, link);
    directory = link;
    start();
    await becomes({ 'a.yaml': 'one' });
    appendFileSync(join(elsewhere, 'real.yaml'), ' and two');
    await becomes({ 'a.yaml': 'one and two' });
  });

  test('without its target is reported as unreadable', async () => {
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    for (const name of ['a.yaml', 'b.yaml']) {
      writeFileSync(join(elsewhere, name), 'one');
      symlinkSync(join(elsewhere, name), join(directory, name));
    }
    const lost = (name: string) =>
      `error: ${join(directory, name)}: a symbolic link to ${join(elsewhere, name)}, which is not there`;
    start();
    await becomes({ 'a.yaml': 'one', 'b.yaml': 'one' });
    renameSync(elsewhere, `${elsewhere}.away`);
    await becomes({ 'a.yaml': lost('a.yaml'), 'b.yaml': lost('b.yaml') });
    expect(snapshots.at(-1)?.loss).toBe('none');
    unlinkSync(join(directory, 'b.yaml'));
    await becomes({ 'a.yaml': lost('a.yaml') });
    renameSync(`${elsewhere}.away`, elsewhere);
    await becomes({ 'a.yaml': 'one' });
  });

  test('to itself is reported as unreadable', () => {
    symlinkSync('self.yaml', join(directory, 'self.yaml'));
    const path = join(directory, 'self.yaml');
    const { files, unseen } = scanDirectory(directory);
    expect([[...files.keys()], [...unseen]]).toEqual([[path], [path]]);
    expect(readFinishedFile(path, files.get(path) ?? '', null)).toMatchObject({
      state: 'finished',
      result: { ok: false, reason: 'unreadable', message: `${path}: too many symbolic links` },
    });
  });

  test('to itself does not stop the watch, and is watched once it is corrected', async () => {
    const target = join(root, 'target.yaml');
    writeFileSync(target, 'mended');
    symlinkSync('self.yaml', join(directory, 'self.yaml'));
    symlinkSync('there.yaml', join(directory, 'back.yaml'));
    symlinkSync('back.yaml', join(directory, 'there.yaml'));
    const lost = (name: string) => `error: ${join(directory, name)}: too many symbolic links`;
    const circles = {
      'back.yaml': lost('back.yaml'),
      'self.yaml': lost('self.yaml'),
      'there.yaml': lost('there.yaml'),
    };
    put('a.yaml', 'one');
    start();
    await becomes({ 'a.yaml': 'one', ...circles });
    for (const text of ['two', 'three', 'four']) {
      put('a.yaml', text);
      await becomes({ 'a.yaml': text, ...circles });
    }
    unlinkSync(join(directory, 'self.yaml'));
    symlinkSync(target, join(directory, 'self.yaml'));
    await becomes({ ...circles, 'a.yaml': 'four', 'self.yaml': 'mended' });
    writeFileSync(target, 'changed');
    await becomes({ ...circles, 'a.yaml': 'four', 'self.yaml': 'changed' });
    expect(problems).toEqual([]);
  });

  test('whose target is removed and created is not lost in between', async () => {
    const target = join(root, 'target.yaml');
    writeFileSync(target, 'one');
    symlinkSync(target, join(directory, 'a.yaml'));
    start();
    await becomes({ 'a.yaml': 'one' });
    for (const text of ['two', 'three']) {
      unlinkSync(target);
      writeFileSync(target, text);
      await becomes({ 'a.yaml': text });
    }
    expect(snapshots.map(({ files }) => files[0]?.content.ok)).toEqual([true, true, true]);
  });

  test('that vanishes is a loss, and its files are found when it returns', async () => {
    put('a.yaml', 'one');
    start();
    await becomes({ 'a.yaml': 'one' });
    rmSync(directory, { recursive: true });
    await becomes({});
    expect(snapshots.at(-1)?.loss).toBe('vanished');
    mkdirSync(directory);
    put('a.yaml', 'back');
    await becomes({ 'a.yaml': 'back' });
    expect(snapshots.at(-1)?.loss).toBe('none');
    put('b.yaml', 'more');
    await becomes({ 'a.yaml': 'back', 'b.yaml': 'more' });
  });

  test('losing several files at once is a loss, one after another is not', async () => {
    put('a.yaml', 'one');
    put('b.yaml', 'two');
    start();
    await untilTold(1);
    unlinkSync(join(directory, 'a.yaml'));
    unlinkSync(join(directory, 'b.yaml'));
    await becomes({});
    expect(snapshots.at(-1)?.loss).toBe('emptied');
  });

  test('replaced by an empty directory is a loss', async () => {
    put('a.yaml', 'one');
    start();
    await becomes({ 'a.yaml': 'one' });
    mkdirSync(join(root, 'new'));
    renameSync(directory, join(root, 'old'));
    renameSync(join(root, 'new'), directory);
    await becomes({});
    expect(snapshots.at(-1)?.loss).toBe('emptied');
  });

  test('missing at the start is a loss when manifests are in force', async () => {
    rmSync(directory, { recursive: true });
    start(1);
    await untilTold(1);
    expect(snapshots[0]).toEqual({ files: [], loss: 'vanished', inputsChanged: false });
    mkdirSync(directory);
    put('a.yaml', 'one');
    await becomes({ 'a.yaml': 'one' });
  });
});

describe('an input', () => {
  test('like an env file is reported when changed, replaced, removed or created', async () => {
    const input = join(root, 'web.env');
    writeFileSync(input, 'A=1');
    const old = new Date(Date.now() - 60_000);
    execFileSync('touch', ['-d', old.toISOString(), input]);
    start();
    await untilTold(1);
    watcher?.setInputs([input]);
    const changes = () => snapshots.filter(({ inputsChanged }) => inputsChanged).length;
    const toldMore = async (change: () => void) => {
      await untilTold(1);
      const before = changes();
      change();
      await expect.poll(changes).toBeGreaterThan(before);
    };
    await toldMore(() => writeFileSync(input, 'A=2'));
    await toldMore(() => {
      writeFileSync(`${input}.new`, 'A=3');
      renameSync(`${input}.new`, input);
    });
    await toldMore(() => unlinkSync(input));
    await toldMore(() => writeFileSync(input, 'A=4'));
  });
});
