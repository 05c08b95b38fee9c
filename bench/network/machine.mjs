/** Network namespaces that play a host and the world outside it, and the processor time of what runs there. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Each shows the interfaces of the namespace that it was mounted in. */
const OWN_SYS =
  'mount --rbind /sys/fs/cgroup /mnt; mount -t sysfs sysfs /sys; mount --rbind /mnt /sys/fs/cgroup; umount -l /mnt';
const HOLD = `ip link set lo up; ${OWN_SYS}; echo ready; exec cat`;

const WHERE = { here: 'here', elsewhere: 'elsewhere', hidden: 'hidden' };

/** Whether a process is in a network namespace; even root may not look at each. */
function whereIs(pid, netns) {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) === netns ? WHERE.here : WHERE.elsewhere;
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return WHERE.elsewhere;
    if (error.code === 'EACCES') return WHERE.hidden;
    throw error;
  }
}

const pids = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** Those in the namespace of `holder`, and hidden ones that are none of the `known`. */
function processesNotElsewhere(holder, known) {
  const netns = readlinkSync(`/proc/${holder}/ns/net`);
  return pids().filter((pid) => {
    if (Number(pid) === holder || known.has(pid)) return false;
    return whereIs(pid, netns) !== WHERE.elsewhere;
  });
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return 'has just ended';
    throw error;
  }
}

/** Ends with this process, whatever happens to it. */
export class Machine {
  #holder;
  /** Processes from before it started that cannot be looked at. */
  #hidden = new Set(pids().filter((pid) => whereIs(pid, '') === WHERE.hidden));

  async start() {
    const own = ['--net', '--mount', '--propagation', 'private', 'sh', '-ec', HOLD];
    this.#holder = spawn('unshare', own, { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((ready, failed) => {
      this.#holder.stdout.once('data', ready);
      this.#holder.once('exit', (code) => failed(new Error(`no namespaces: exit code ${code}`)));
    });
    return this;
  }

  get pid() {
    return this.#holder.pid;
  }

  /** What a command line begins with that runs here. */
  get enter() {
    return ['nsenter', '--net', '--mount', '--target', String(this.pid)];
  }

  run(...command) {
    const [program, ...args] = [...this.enter, ...command];
    return execFileSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  }

  /** A cable to another one. */
  connect(other, name, ownAddress, otherAddress) {
    const peer = ['peer', 'name', name, 'netns', String(other.pid)];
    this.run('ip', 'link', 'add', name, 'type', 'veth', ...peer);
    this.run('ip', 'addr', 'add', ownAddress, 'dev', name);
    other.run('ip', 'addr', 'add', otherAddress, 'dev', name);
    for (const end of [this, other]) end.run('ip', 'link', 'set', name, 'up');
  }

  /** Whatever is here besides a loopback interface; `directory` has been the supervisor's. */
  left(directory) {
    const lines = (...command) =>
      this.run(...command)
        .split('\n')
        .filter(Boolean);
    return [
      ...lines('ip', '-o', 'link').filter((line) => !line.includes(': lo:')),
      ...['-4', '-6'].flatMap((family) =>
        lines('ip', family, 'route', 'show', 'table', 'all').filter((line) => !line.includes('dev lo ')),
      ),
      ...lines('ip', 'neigh'),
      ...lines('nft', 'list', 'tables'),
      ...lines('cat', '/proc/self/mountinfo').filter((line) => line.includes(` ${directory}/`)),
      ...processesNotElsewhere(this.pid, this.#hidden).map((pid) => `process ${pid}: ${commandOf(pid)}`),
    ];
  }

  async stop() {
    const gone = new Promise((done) => this.#holder.once('exit', done));
    this.#holder.stdin.end();
    await gone;
  }
}

const HIERARCHY = '/sys/fs/cgroup/cpuacct';

/** A control group that counts the processor time of all that is ever started in it. */
export class Account {
  #group;

  constructor(name) {
    if (!existsSync(HIERARCHY)) throw new Error(`${HIERARCHY} is not mounted: processor time cannot be counted`);
    this.#group = join(HIERARCHY, name);
    mkdirSync(this.#group);
  }

  /** What a command line begins with that is counted. */
  get enter() {
    return ['sh', '-ec', 'echo 0 >"$0/cgroup.procs"; exec "$@"', this.#group];
  }

  ms() {
    return Number(readFileSync(join(this.#group, 'cpuacct.usage'), 'utf8')) / 1e6;
  }

  /** @param name of a control group in any hierarchy */
  static groupsNamed(name, directory = '/sys/fs/cgroup', depth = 4) {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => {
        const path = join(directory, entry.name);
        if (entry.name.startsWith(name)) return [path];
        return depth === 0 ? [] : Account.groupsNamed(name, path, depth - 1);
      });
  }

  close() {
    if (existsSync(this.#group)) rmdirSync(this.#group);
  }
}
