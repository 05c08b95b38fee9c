/** A Debian image of about 450 MB in three gzipped layers, made by mmdebstrap once and kept, as an OCI layout. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export const CACHE = '/var/tmp/tsdocker-bench';
const PACKAGES = 'python3,perl,git,ca-certificates,curl,vim-tiny,gcc';
const LAYERS = [['--exclude=./usr/lib', '--exclude=./usr/share', '.'], ['./usr/lib'], ['./usr/share']];

const run = (program, ...args) => execFileSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });

async function sha256(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Puts a file among the blobs of a layout. */
async function blob(layout, file, mediaType) {
  const digest = await sha256(file);
  const { size } = statSync(file);
  renameSync(file, join(layout, 'blobs/sha256', digest));
  return { mediaType, digest: `sha256:${digest}`, size };
}

/** Path of the layout; its image is named `bench`. */
export async function debianLayout() {
  const layout = join(CACHE, 'layout');
  if (existsSync(layout)) return layout;
  mkdirSync(CACHE, { recursive: true });
  const tar = join(CACHE, 'rootfs.tar');
  if (!existsSync(tar)) {
    run('mmdebstrap', '--quiet', '--variant=minbase', `--include=${PACKAGES}`, 'trixie', `${tar}.part`, '--format=tar');
    renameSync(`${tar}.part`, tar);
  }
  const rootfs = join(CACHE, 'rootfs');
  rmSync(rootfs, { recursive: true, force: true });
  mkdirSync(rootfs);
  // Device nodes are the runtime's.
  run('tar', '-xf', tar, '-C', rootfs, '--exclude=./dev/*');
  const parts = LAYERS.map((paths) => [...paths]);
  const made = await layoutOf(rootfs, parts, `${layout}.part`);
  rmSync(rootfs, { recursive: true, force: true });
  renameSync(made, layout);
  return layout;
}

/** An OCI layout of one image. @param parts what `tar` is told for each layer */
export async function layoutOf(rootfs, parts, layout) {
  rmSync(layout, { recursive: true, force: true });
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const layers = [];
  const diffIds = [];
  for (const args of parts) {
    const file = join(layout, 'layer.tar');
    run('tar', '-C', rootfs, '--sort=name', '--numeric-owner', '-cf', file, ...args);
    diffIds.push(`sha256:${await sha256(file)}`);
    run('gzip', '-6', file);
    layers.push(await blob(layout, `${file}.gz`, 'application/vnd.oci.image.layer.v1.tar+gzip'));
  }
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const json = async (value, mediaType) => {
    writeFileSync(join(layout, 'json'), JSON.stringify(value));
    return blob(layout, join(layout, 'json'), mediaType);
  };
  const config = await json(
    { architecture, os: 'linux', config: { Cmd: ['/bin/sh'] }, rootfs: { type: 'layers', diff_ids: diffIds } },
    'application/vnd.oci.image.config.v1+json',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await json({ schemaVersion: 2, mediaType, config, layers }, mediaType);
  const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'bench' } };
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  return layout;
}
