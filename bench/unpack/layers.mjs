/**
 * Whether unpacking the layers of one image at the same time helps: one after the other, all in one process, a process for
 * each. Prints seconds.
 *
 *   node bench/unpack/layers.mjs [--rounds N] [--on DIRECTORY]      DIRECTORY: where it unpacks, /dev/shm unless said
 */
import { execFileSync, spawn } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DEFAULT_LAYER_LIMITS, RecipeWriter, unpackLayer } from '../../dist/bench/product.js';
import { debianLayout } from './fixture.mjs';

const options = { rounds: { type: 'string' }, on: { type: 'string' }, layer: { type: 'string' } };
const { rounds = '3', on = '/dev/shm', layer } = parseArgs({ options }).values;
const layout = await debianLayout();
const blob = (digest) => join(layout, 'blobs/sha256', digest.split(':')[1]);
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));
const manifest = json(blob(json(join(layout, 'index.json')).manifests[0].digest));
const diffIds = json(blob(manifest.config.digest)).rootfs.diff_ids;
const all = manifest.layers.map((_, index) => index);

async function unpack(index, directory) {
  const path = join(directory, String(index));
  mkdirSync(path);
  const { digest } = manifest.layers[index];
  await unpackLayer(
    createReadStream(blob(digest), { highWaterMark: 256 * 1024 }),
    { path, whiteouts: 'overlay' },
    {
      diffId: diffIds[index].split(':')[1],
      blobDigest: digest.split(':')[1],
      limits: DEFAULT_LAYER_LIMITS,
      recipe: await RecipeWriter.create(`${path}-recipe`),
      progress: () => {},
    },
  );
}

const WAYS = {
  'one after the other': async (directory) => {
    for (const index of all) await unpack(index, directory);
  },
  'all in one process': (directory) => Promise.all(all.map((index) => unpack(index, directory))),
  'a process for each': (directory) => {
    const script = fileURLToPath(import.meta.url);
    const child = (index) =>
      new Promise((done) => {
        const args = [script, '--layer', String(index), '--on', directory];
        spawn(process.execPath, args, { stdio: 'inherit' }).once('exit', done);
      });
    return Promise.all(all.map(child));
  },
};

async function timed(way) {
  const directory = mkdtempSync(join(on, 'tsdocker-layers-'));
  execFileSync('sync');
  const start = performance.now();
  try {
    await way(directory);
    return ((performance.now() - start) / 1000).toFixed(2);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (layer !== undefined) await unpack(Number(layer), on);
else {
  for (let round = 0; round < Number(rounds); round++) {
    const times = [];
    for (const [name, way] of Object.entries(WAYS)) times.push(`${name} ${await timed(way)} s`);
    console.log(times.join(', '));
  }
}
