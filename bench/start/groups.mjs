/**
 * What the control groups of a container cost the kernel: made in each hierarchy that is mounted, entered by one process,
 * removed. Entered as tsdocker does, by `tasks`, and as runc does, by `cgroup.procs`; and a whole container of runc.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const RUNC = '/usr/sbin/runc';
const CPUSET_FILES = ['cpuset.cpus', 'cpuset.mems'];

/** One mount of each hierarchy. */
function hierarchies() {
  const found = new Map();
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before, after = ''] = line.split(' - ');
    const [type = '', , options = ''] = after.split(' ');
    if (type.startsWith('cgroup') && !found.has(options))
      found.set(options, { type, mount: before.split(' ')[4], options });
  }
  return [...found.values()];
}

function make({ options }, path) {
  mkdirSync(path);
  if (!options.split(',').includes('cpuset')) return;
  for (const file of CPUSET_FILES) writeFileSync(join(path, file), readFileSync(join(path, '..', file), 'utf8'));
}

/** Milliseconds until a shell has written itself into the files and ended. */
function shellMs(files) {
  const script = files.map((file) => `echo 0 >${file}`).join('\n');
  const started = performance.now();
  const { status, stderr } = spawnSync('/bin/sh', ['-ec', script]);
  if (status !== 0) throw new Error(String(stderr));
  return performance.now() - started;
}

/** Milliseconds of each round by part: `make`, `remove`, `enter` and `enterAsRunc` beyond those of a shell that does nothing. */
export function groupRounds(rounds) {
  const all = hierarchies().map((hierarchy) => ({
    ...hierarchy,
    parent: join(hierarchy.mount, `tsd-bench-${process.pid}`),
  }));
  for (const hierarchy of all) make(hierarchy, hierarchy.parent);
  try {
    return Array.from({ length: rounds }, (_, round) => {
      const groups = all.map((hierarchy) => ({ ...hierarchy, path: join(hierarchy.parent, `${round}`) }));
      const times = [performance.now()];
      for (const group of groups) make(group, group.path);
      times.push(performance.now());
      const files = (ofV1) => groups.map(({ type, path }) => join(path, type === 'cgroup2' ? 'cgroup.procs' : ofV1));
      // The unified one is entered by clone3, at no cost of its own.
      const v1 = (name) => files(name).filter((_, index) => groups[index].type !== 'cgroup2');
      const nothing = shellMs([]);
      const enter = shellMs(v1('tasks')) - nothing;
      const enterAsRunc = shellMs(files('cgroup.procs')) - nothing;
      times.push(performance.now());
      for (const { path } of groups) rmdirSync(path);
      times.push(performance.now());
      return { make: times[1] - times[0], enter, enterAsRunc, remove: times[3] - times[2] };
    });
  } finally {
    for (const { parent } of all) rmdirSync(parent);
  }
}

/** Milliseconds from the command to a running container of runc, one a round; null where runc is not installed. */
export function runcRounds(rounds, directory) {
  if (!existsSync(RUNC)) return null;
  const base = mkdtempSync(join(directory, 'tsd-bench-runc-'));
  const bundle = join(base, 'bundle');
  const runc = (...args) =>
    execFileSync(RUNC, ['--root', join(base, 'state'), ...args], { stdio: 'ignore', cwd: bundle });
  try {
    mkdirSync(join(bundle, 'rootfs'), { recursive: true });
    copyFileSync('/bin/busybox', join(bundle, 'rootfs/busybox'));
    runc('spec');
    const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
    Object.assign(spec.process, { args: ['/busybox', 'sleep', '1000000'], terminal: false });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
    return Array.from({ length: rounds }, (_, round) => {
      const id = `tsd-bench-${process.pid}-${round}`;
      const started = performance.now();
      runc('run', '--detach', id);
      const ms = performance.now() - started;
      runc('delete', '--force', id);
      return ms;
    });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
