/**
 * Loading an image into the graph, and writing it out again, beside skopeo copy + umoci unpack on the same image: a
 * Debian-like one of about 200 MB made of this host's /usr/bin and /usr/lib. Prints ratios and this process's memory.
 *
 *   node bench/unpack/unpack.mjs            the image above
 *   node bench/unpack/unpack.mjs --large    one layer of 1 GiB, for the memory bound
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createOverlayDriver } from '../../dist/drivers/graph/overlay/overlay-driver.js';
import { dockerArchive } from '../../dist/images/export/docker-archive.js';
import { loadImage } from '../../dist/images/load-image.js';
import { loadArchive } from '../../dist/images/sources/archive.js';

const LAYER_BYTES = 200 * 1024 ** 2;
const LARGE_BYTES = 1024 ** 3;
const work = mkdtempSync('/tmp/tsd-bench-');
const at = (name) => join(work, name);
const run = (program, ...args) => execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });

async function timed(action) {
  const start = performance.now();
  const result = await action();
  return { seconds: (performance.now() - start) / 1000, result };
}

const context = (name) => ({
  graph: createOverlayDriver(at(name)),
  tmpDir: at(`${name}-tmp`),
  recipes: at(`${name}-recipes`),
  progress: () => {},
});

function makeRootfs(bytes) {
  if (process.argv.includes('--large')) {
    run('sh', '-c', `mkdir ${at('rootfs')} && head -c ${bytes} /dev/urandom > ${at('rootfs')}/big`);
  } else {
    const pick = `cd / && find usr/bin usr/lib -xdev -type f -size -20M -print0 | sort -z | head -z -n 12000`;
    run(
      'sh',
      '-c',
      `${pick} | tar -cf - --null -T - 2>/dev/null | head -c ${bytes} > ${at('part.tar')}; mkdir ${at('rootfs')}`,
    );
    spawnSync('tar', ['-xf', at('part.tar'), '-C', at('rootfs')], { stdio: 'ignore' });
  }
  run('tar', '-cf', at('rootfs.tar'), '-C', at('rootfs'), '.');
}

const save = (from, image, file) =>
  pipeline(
    Readable.from(dockerArchive(from, [{ ...image, names: ['bench:1'] }]), { objectMode: false }),
    createWriteStream(at(file)),
  );

try {
  makeRootfs(process.argv.includes('--large') ? LARGE_BYTES : LAYER_BYTES);
  const first = context('first');
  const image = await loadImage({ type: 'rootfs', path: at('rootfs.tar'), config: {} }, first);
  const written = await timed(() => save(first, image, 'image.tar'));
  run('skopeo', '--insecure-policy', 'copy', `docker-archive:${at('image.tar')}`, `oci-archive:${at('oci.tar')}:bench`);
  const rows = [];
  for (const [what, file] of [
    ['docker-archive', 'image.tar'],
    ['oci-archive, gzip', 'oci.tar'],
  ]) {
    const ours = await timed(() => loadArchive({ type: 'archive', path: at(file) }, context(`ours-${file}`)));
    const kind = file === 'oci.tar' ? 'oci-archive' : 'docker-archive';
    const theirs = await timed(() => {
      run('skopeo', '--insecure-policy', 'copy', `${kind}:${at(file)}`, `oci:${at(`layout-${file}`)}:bench`);
      run('umoci', 'unpack', '--image', `${at(`layout-${file}`)}:bench`, at(`bundle-${file}`));
    });
    const tar = await timed(() =>
      run(
        'sh',
        '-c',
        `mkdir ${at(`tar-${file}`)} && tar -xf ${at('rootfs.tar')} -C ${at(`tar-${file}`)} && sync -f ${work}`,
      ),
    );
    rows.push({ what, ours: ours.seconds, theirs: theirs.seconds, tar: tar.seconds });
  }
  console.log(
    `layer ${(statSync(at('rootfs.tar')).size / 1e6).toFixed(0)} MB; saved in ${written.seconds.toFixed(2)} s`,
  );
  for (const { what, ours, theirs, tar } of rows) {
    console.log(
      `${what}: tsdocker ${ours.toFixed(2)} s, skopeo+umoci ${theirs.toFixed(2)} s (${(theirs / ours).toFixed(1)} x), tar -x of the plain tar ${tar.toFixed(2)} s`,
    );
  }
  console.log(`peak memory of tsdocker's part ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
