/**
 * A virtual machine with systemd, cgroup v2 and device mapper, for what this host's kernel or init does not have.
 * Emulated (TCG), so that it runs where there is no KVM: a program takes 15 to 50 times as long as here.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { GUEST_CACHE, guestImage } from './image.ts';
import { writePayload } from './payload.ts';

/** For hangs only: an idle host boots the guest in 25 s. */
const BOOT_MS = 600_000;
const COMMAND_MS = 600_000;
const KERNEL_ARGUMENTS = 'root=/dev/vda rw console=ttyS0 quiet loglevel=4 mitigations=off systemd.show_status=0';
const LAST_LINES = 60;
/** The whole console of the guest that ended last. */
const LAST_CONSOLE = join(GUEST_CACHE, 'console.log');

export interface GuestResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What this host lacks to run a guest; null when it can. */
export function guestProblem(): string | null {
  if (process.arch !== 'x64') return 'the guest is x86-64';
  for (const program of ['qemu-system-x86_64', 'qemu-img', 'mmdebstrap', 'zstd', 'mke2fs']) {
    if (!inPath(program)) return `${program} is not installed`;
  }
  return null;
}

function inPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, program)));
}

export class Guest {
  readonly #directory: string;
  readonly #qemu: ChildProcess;
  #port: Socket | null = null;
  /** Null: qemu ended. */
  #waiting: ((line: string | null) => void) | null = null;
  #unread: string[] = [];
  #ended = false;

  private constructor(directory: string, qemu: ChildProcess) {
    this.#directory = directory;
    this.#qemu = qemu;
    qemu.once('exit', () => {
      this.#ended = true;
      this.#waiting?.(null);
    });
  }

  /**
   * Boots a fresh guest and waits until it takes commands.
   * @param debianPackage a file of this host, for /opt/tsdocker/tsdocker.deb
   * @param kernelArguments beside those that the guest needs
   * @throws Error with the end of its console
   */
  static async boot(debianPackage: string | null = null, kernelArguments = ''): Promise<Guest> {
    const image = guestImage();
    const directory = mkdtempSync('/var/tmp/tsd-guest-');
    const disk = join(directory, 'root.qcow2');
    const payload = join(directory, 'payload');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', image.root, disk]);
    writePayload(payload, debianPackage);
    const log = openSync(join(directory, 'qemu.log'), 'a');
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'qemu64', '-smp', '2', '-m', '1536'],
        ...['-nodefaults', '-display', 'none', '-no-user-config'],
        ...['-kernel', image.kernel, '-initrd', image.initrd, '-append', `${KERNEL_ARGUMENTS} ${kernelArguments}`],
        ...['-drive', `file=${disk},if=virtio,format=qcow2,cache=unsafe`],
        ...['-drive', `file=${payload},if=virtio,format=raw,cache=unsafe`],
        ...['-serial', `file:${join(directory, 'console.log')}`],
        ...[
          '-device',
          'virtio-serial-pci',
          '-chardev',
          `socket,id=test,path=${join(directory, 'port')},server=on,wait=off`,
        ],
        ...['-device', 'virtserialport,chardev=test,name=tsdocker.test', '-device', 'virtio-rng-pci'],
      ],
      { stdio: ['ignore', log, log] },
    );
    const guest = new Guest(directory, qemu);
    try {
      await guest.#connect();
      await guest.#expect('boot', /^ready /, BOOT_MS);
    } catch (error) {
      await guest.destroy();
      throw error;
    }
    return guest;
  }

  async #connect(): Promise<void> {
    const path = join(this.#directory, 'port');
    while (!existsSync(path)) {
      if (this.#ended) throw new Error(`qemu ended: ${readFileSync(join(this.#directory, 'qemu.log'), 'utf8')}`);
      await sleep(50);
    }
    const port = connect(path);
    this.#port = port;
    createInterface({ input: port }).on('line', (line) => {
      if (this.#waiting === null) this.#unread.push(line);
      else this.#waiting(line);
    });
  }

  /** Runs a bash script as root. @throws Error when it hangs. */
  async run(script: string, timeoutMs = COMMAND_MS): Promise<GuestResult> {
    this.#send(script);
    const line = await this.#expect(script, /^\d+ \S+ \S+$/, timeoutMs);
    const [status, stdout, stderr] = line.split(' ');
    // One `=` was added so that nothing is written as something.
    const text = (encoded = '='): string => Buffer.from(encoded.slice(0, -1), 'base64').toString();
    return { status: Number(status), stdout: text(stdout), stderr: text(stderr) };
  }

  #send(script: string): void {
    this.#port?.write(`${Buffer.from(script).toString('base64')}\n`);
  }

  /** As {@link run}. @throws Error when the script exits other than 0. */
  async ok(script: string, timeoutMs = COMMAND_MS): Promise<string> {
    const { status, stdout, stderr } = await this.run(script, timeoutMs);
    if (status !== 0) throw new Error(`in the guest, exit ${status}: ${script}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Waits until a script exits 0, and returns what it printed. */
  async until(what: string, script: string, timeoutMs = COMMAND_MS): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const { status, stdout, stderr } = await this.run(script);
      if (status === 0) return stdout;
      if (Date.now() > deadline)
        throw new Error(`in the guest, never: ${what}\n${script}\n${stdout}${stderr}\n${this.console()}`);
      await sleep(1000);
    }
  }

  /** Restarts the guest as an administrator does, and waits until it takes commands again. */
  async reboot(): Promise<void> {
    // Its answer is dropped with those of the boot that is over: the shutdown may end the agent before it comes.
    this.#send('systemctl reboot --no-block');
    await this.#expect('reboot', /^ready /, BOOT_MS);
  }

  /** The end of what the guest printed on its console. */
  console(): string {
    const path = join(this.#directory, 'console.log');
    if (!existsSync(path)) return '';
    return readFileSync(path, 'utf8').split('\n').slice(-LAST_LINES).join('\n');
  }

  async destroy(): Promise<void> {
    this.#port?.destroy();
    if (!this.#ended) {
      const gone = new Promise((done) => this.#qemu.once('exit', done));
      this.#qemu.kill('SIGKILL');
      await gone;
    }
    const log = join(this.#directory, 'console.log');
    if (existsSync(log)) copyFileSync(log, LAST_CONSOLE);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The next line of the port that matches; lines before it belong to a boot that is over and are dropped. */
  async #expect(what: string, pattern: RegExp, timeoutMs: number): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const line = await this.#nextLine(deadline);
      if (line === null) {
        const reason = this.#ended ? 'qemu ended' : `no answer in ${timeoutMs / 1000} s`;
        throw new Error(`guest: ${reason}: ${what}\nconsole:\n${this.console()}`);
      }
      if (pattern.test(line)) return line;
    }
  }

  async #nextLine(deadline: number): Promise<string | null> {
    const unread = this.#unread.shift();
    if (unread !== undefined) return unread;
    return new Promise((done) => {
      const finish = (line: string | null): void => {
        clearTimeout(timer);
        this.#waiting = null;
        done(line);
      };
      const timer = setTimeout(() => finish(null), Math.max(0, deadline - Date.now()));
      this.#waiting = finish;
      if (this.#ended) finish(null);
    });
  }
}
