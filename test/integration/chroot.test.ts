/** The root directory of a chroot need not be a mount, and then no container can start. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** Only empty directories and links; everything else is the host's. */
function removePlaces(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isSymbolicLink()) unlinkSync(path);
    else rmdirSync(path);
  }
  rmdirSync(directory);
}

const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');

/** Everything that this host's root has, entry by entry, in a mount namespace of its own. */
const ENTER = `
  [ -z "$BOUND" ] || mount --bind "$0" "$0"
  cd "$0" || exit
  for entry in /*; do
    if [ -L "$entry" ]; then cp -P "$entry" .$entry
    elif [ -d "$entry" ]; then mkdir .$entry && mount --rbind "$entry" .$entry
    fi
  done
  exec chroot . "$@"`;

test('is named by doctor, with a remedy', () => {
  const doctor = (env: NodeJS.ProcessEnv) => {
    const directory = mkdtempSync('/tmp/tsd-test-chroot-');
    const args = ['-m', 'sh', '-c', ENTER, directory, process.execPath, TSDOCKER, 'doctor', '-H', 'unix:///none'];
    const { stdout } = spawnSync('unshare', args, { env: { ...process.env, ...env }, encoding: 'utf8' });
    removePlaces(directory);
    return stdout;
  };
  const what = 'the root directory of this process is no mount';
  expect(doctor({})).toContain(what);
  expect(doctor({})).toContain('mount --bind DIR DIR');
  const bound = doctor({ BOUND: '1' });
  expect(bound).toContain('native');
  expect(bound).not.toContain(what);
});
