/** Random edits of watched manifests, and the proof afterwards that the host is what they say. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { SupervisorClient } from '../../../src/api/client.ts';
import type { ContainerView } from '../../../src/api/views/resource-views.ts';
import type { Random } from '../random.ts';
import type { TestSupervisor } from '../supervisor.ts';
import { until } from '../wait.ts';
import { type App, AppMaker, BASE, type Member, manifestOf } from './apps.ts';
import { checkLog } from './check-log.ts';

const BROKEN = 'containers:\n  broken: { image: base/busybox, comand: [x] }\n';
const LOOK_EVERY_MS = 250;

export interface StormOptions {
  /** File names, without `.yaml`. */
  readonly apps: number;
  /** Share of apps with a network of their own. */
  readonly networks: number;
}

export class Storm {
  readonly #supervisor: TestSupervisor;
  readonly #client: SupervisorClient;
  readonly #random: Random;
  readonly #maker: AppMaker;
  readonly #names: readonly string[];
  /** What should be there: of a broken file its last sound state. */
  readonly #apps = new Map<string, App>();
  readonly #broken = new Set<string>();
  /** Runs of a container that were cut off by us, by its id. */
  readonly #cutOff = new Map<string, number>();
  #keeper: number | null = null;

  constructor(supervisor: TestSupervisor, random: Random, options: StormOptions) {
    this.#supervisor = supervisor;
    this.#client = new SupervisorClient(supervisor.socket);
    this.#random = random;
    this.#maker = new AppMaker(random, options.networks);
    this.#names = Array.from({ length: options.apps }, (_, index) => `app${index}`);
  }

  async begin(): Promise<void> {
    this.#supervisor.drop('base.yaml', BASE);
    this.#keeper = (await this.#supervisor.waitFor('keeper', 'runs', ({ ready }) => ready)).pid;
  }

  /** One change of one file. */
  edit(): void {
    const name = this.#random.pick(this.#names);
    const app = this.#apps.get(name);
    const fate = this.#random.below(10);
    if (this.#broken.has(name) || app === undefined) this.#write(app ?? this.#maker.make(name));
    else if (fate === 0) this.#remove(name);
    else if (fate === 1) this.#break(name);
    else this.#write(this.#maker.edit(app));
  }

  /** Writes all that are not there. */
  fill(): void {
    for (const name of this.#names) if (!this.#apps.has(name)) this.#write(this.#maker.make(name));
  }

  #write(app: App): void {
    this.#apps.set(app.name, app);
    this.#broken.delete(app.name);
    this.#supervisor.drop(`${app.name}.yaml`, manifestOf(app));
  }

  #remove(name: string): void {
    this.#apps.delete(name);
    rmSync(join(this.#supervisor.manifests, `${name}.yaml`), { force: true });
  }

  #break(name: string): void {
    this.#broken.add(name);
    this.#supervisor.drop(`${name}.yaml`, BROKEN);
  }

  /** Kills a payload or a shim, or restarts a container by command. What has just gone is none of its business. */
  async disturb(): Promise<void> {
    const services = (await this.#client.list('containers')).filter(
      ({ name, pid }) => name.startsWith('service') && pid !== null,
    );
    if (services.length === 0) return;
    const { id, name, app, pid } = this.#random.pick(services);
    const way = this.#random.below(3);
    this.#cutOff.set(id, (this.#cutOff.get(id) ?? 0) + 1);
    if (way === 0) await this.#client.kill(`${app}/${name}`, 'KILL').catch(() => {});
    else if (way === 1) await this.#client.restart(`${app}/${name}`, 5000).catch(() => {});
    else killShimOf(pid ?? 0, id);
  }

  /** The container that no one edits has not noticed anything. */
  async checkKeeper(): Promise<void> {
    const keeper = (await this.#client.list('containers')).find(({ name }) => name === 'keeper');
    expect(keeper).toMatchObject({ pid: this.#keeper, restarts: 0 });
  }

  /** Waits until what is declared is what there is, and looks for anything that is too much. */
  async settle(timeoutMs: number): Promise<void> {
    for (const name of this.#broken) this.#write(this.#apps.get(name) as App);
    let last: readonly string[] = [];
    try {
      await until(
        'the host to be what the manifests say',
        async () => {
          const views = await this.#client.list('containers');
          await this.#renewHeld();
          last = this.#differences(views);
          return last.length === 0;
        },
        timeoutMs,
        LOOK_EVERY_MS,
      );
    } catch (error) {
      throw new Error(`${String(error)}\n${last.slice(0, 20).join('\n')}`, { cause: error });
    }
    await until('no work left', async () => (await this.#client.plan([])).ops.length === 0, timeoutMs, LOOK_EVERY_MS);
    await this.checkKeeper();
    await this.#checkLeaks();
    this.#checkLogs(await this.#client.list('containers'));
  }

  /** A service that was killed right after an edit is a failed update, which is held until the next edit. */
  async #renewHeld(): Promise<void> {
    for (const { app, held } of await this.#client.list('manifests')) {
      const known = held === null ? undefined : this.#apps.get(app ?? '');
      if (known) this.#write(this.#maker.renew(known));
    }
  }

  #differences(views: readonly ContainerView[]): string[] {
    const wanted = new Map<string, Member>();
    for (const app of this.#apps.values()) {
      for (const member of app.members) wanted.set(`${app.name}/${member.name}`, member);
    }
    const seen = new Map(views.map((view) => [`${view.app}/${view.name}`, view]));
    const problems: string[] = [];
    for (const key of seen.keys()) if (!wanted.has(key) && key !== 'base/keeper') problems.push(`${key} is too much`);
    for (const [key, member] of wanted) {
      const view = seen.get(key);
      const problem = view === undefined ? 'is missing' : difference(member, view);
      if (problem !== null) problems.push(`${key} ${problem}`);
    }
    return problems;
  }

  async #checkLeaks(): Promise<void> {
    const { root, instance } = this.#supervisor;
    const views = await this.#client.list('containers');
    const ids = views.map(({ id }) => id).sort();
    const running = views.filter(({ pid }) => pid !== null);
    const { processes, links, mounts } = this.#supervisor.hostState();
    expect(readdirSync(join(root, 'containers')).sort()).toEqual(ids);
    expect(mounts).toEqual([]);
    expect(processes).toHaveLength(running.length);
    const addressed = views.filter(({ address }) => address !== null);
    expect(links.filter((name) => name.startsWith(`v${instance}`)).length).toBeLessThanOrEqual(addressed.length);
    const known = new Set(ids);
    const records = join(root, 'execdriver/native');
    expect(readdirSync(records).filter((id) => !known.has(id))).toEqual([]);
    const sockets = readdirSync(join(this.#supervisor.runDir, 'shim'));
    expect(sockets).toHaveLength(running.length);
    const payloads = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
    const children = new Map<string, number>();
    for (const [, parent = ''] of payloads.map((line) => line.trim().split(/\s+/))) {
      children.set(parent, (children.get(parent) ?? 0) + 1);
    }
    for (const line of processes) expect(children.get(line.split(' ')[0] ?? '') ?? 0, line).toBe(1);
    const fds = readdirSync(`/proc/${this.#supervisor.pid}/fd`).length;
    expect(fds).toBeLessThanOrEqual(100 + 4 * views.length);
  }

  #checkLogs(views: readonly ContainerView[]): void {
    for (const { id, name, app, pid } of views) {
      const path = join(this.#supervisor.root, 'containers', id, `${id}-json.log`);
      const problem = checkLog(path, { running: pid !== null, cutOff: this.#cutOff.get(id) ?? 0 });
      expect(problem, `log of ${app}/${name}, ${path}`).toBeNull();
    }
  }
}

function difference(member: Member, view: ContainerView): string | null {
  if (member.kind === 'job') {
    const asWanted = view.phase === 'Exited' && view.exitCode === member.exitCode;
    return asWanted
      ? null
      : `is ${view.phase} with ${view.exitCode}, not ended with ${member.exitCode}: ${view.message}`;
  }
  if (!view.ready || view.pid === null) return `is ${view.phase}, not ready: ${view.message}`;
  const environment = existsSync(`/proc/${view.pid}/environ`) ? readFileSync(`/proc/${view.pid}/environ`, 'utf8') : '';
  return environment.split('\0').includes(`WORD=${member.word}`) ? null : `does not run with ${member.word}`;
}

function killShimOf(pid: number, containerId: string): void {
  try {
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const isShim = readFileSync(`/proc/${parent}/cmdline`, 'utf8').startsWith(`tsdocker-shim\0${containerId}`);
    if (isShim) process.kill(parent, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
