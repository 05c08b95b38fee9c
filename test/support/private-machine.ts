/**
 * A shell on this machine whose network, processes and /etc are its own, with nothing in the default places of the
 * supervisor: what a document says can be typed there as it stands.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeGroupsOf } from './leaks.ts';

const SET_UP = `
set -e
mkdir -p "$BASE/etc" "$BASE/etc-work" "$BASE/lib" "$BASE/lib-work"
mount -t overlay -o "lowerdir=/etc,upperdir=$BASE/etc,workdir=$BASE/etc-work" overlay /etc
mount -t overlay -o "lowerdir=/var/lib,upperdir=$BASE/lib,workdir=$BASE/lib-work" overlay /var/lib
rm -rf /etc/tsdocker
mkdir -p /var/lib/tsdocker
mount -t tmpfs tmpfs /var/lib/tsdocker
mount -t tmpfs tmpfs /run
ip link set lo up
set +e
trap 'echo "FAILED $? $LINENO $BASH_COMMAND" >>"$BASE/failed"' ERR
`;
/** The next command fails with another line of the script than the set-up's. */
const SET_UP_LINES = SET_UP.split('\n').length;

interface Failure {
  readonly status: number;
  /** Of the script that was given, the first is 1. */
  readonly line: number;
  readonly command: string;
}

export interface Outcome {
  readonly status: number;
  readonly output: string;
  /** Commands that did not exit with 0. */
  readonly failures: readonly Failure[];
  /** The instance of the supervisor that ran last; empty where its root is gone. */
  readonly instance: string;
}

function failuresIn(file: string): Failure[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, status, at, command = ''] = /^FAILED (\d+) (\d+) (.*)/.exec(line) ?? [];
      if (status === undefined) return [];
      return [{ status: Number(status), line: Number(at) - SET_UP_LINES + 1, command }];
    });
}

/**
 * Runs a script of bash. It ends when its last command does; everything that it left running is killed.
 * @param directory in which it starts
 * @param path directories that come first in PATH
 */
export async function runOnPrivateMachine(
  script: string,
  directory: string,
  path: readonly string[] = [],
): Promise<Outcome> {
  const base = mkdtempSync('/var/tmp/tsd-test-machine-');
  try {
    mkdirSync(join(base, 'bin'));
    // Who runs this is root already.
    writeFileSync(join(base, 'bin/sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    const keepInstance = 'cp /var/lib/tsdocker/instance "$BASE/instance" 2>/dev/null || true\n';
    writeFileSync(join(base, 'script'), `${SET_UP}${script}\n${keepInstance}`);
    const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const child = spawn('unshare', [...namespaces, 'bash', join(base, 'script')], {
      cwd: directory,
      env: {
        ...process.env,
        BASE: base,
        NO_COLOR: '1',
        PATH: [join(base, 'bin'), ...path, process.env.PATH ?? ''].join(':'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    const status = await new Promise<number>((done) => child.once('close', (code) => done(code ?? 255)));
    const kept = join(base, 'instance');
    const instance = existsSync(kept) ? readFileSync(kept, 'utf8').trim() : '';
    // The only thing that outlives the namespaces.
    if (instance !== '') await removeGroupsOf(instance);
    return { status, output, failures: failuresIn(join(base, 'failed')), instance };
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
