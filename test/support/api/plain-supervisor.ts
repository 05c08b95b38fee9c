import { PassThrough } from 'node:stream';
import type {
  ApplyEvent,
  ApplyOptions,
  ExecRequest,
  HostShutdownView,
  LogEntry,
  LogOptions,
  ManifestInput,
  RemoveRequest,
  RollbackOptions,
  StartedView,
  StartOptions,
} from '../../../src/api/requests.ts';
import type { ServedApi } from '../../../src/api/served.ts';
import { API_LEVEL, VERSION, type VersionView } from '../../../src/api/version.ts';
import type { EventOptions, EventView, HistoryView, WhyView } from '../../../src/api/views/explain-views.ts';
import type { DoctorCheck, InfoView } from '../../../src/api/views/host-views.ts';
import type { ApprovalView, ApprovedView, DiffView, PlanView } from '../../../src/api/views/plan-views.ts';
import type {
  ContainerView,
  DescribeView,
  ImageView,
  ManifestView,
  NetworkView,
  ViewOfKind,
  VolumeView,
} from '../../../src/api/views/resource-views.ts';
import type { AttachedSession, StdioSession } from '../../../src/drivers/contract/exec.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { PlainBuilds } from './plain-builds.ts';
import { PlainImageFiles } from './plain-image-files.ts';
import { PlainJobs } from './plain-jobs.ts';
import { PlainRegistry } from './plain-registry.ts';

const source = { file: '/etc/tsdocker/manifests/blog.yaml', line: 12, column: 3 };

export const WEB: ContainerView = {
  name: 'web',
  app: 'blog',
  engineName: 'blog-web',
  id: 'a1'.repeat(32),
  phase: 'Running',
  ready: true,
  pid: 4242,
  exitCode: null,
  restarts: 2,
  image: 'nginx',
  imageId: 'b2'.repeat(32),
  address: '10.80.0.3',
  endpoints: [
    {
      network: 'blog/back',
      interface: 'eth0',
      ipv4: '10.80.0.3/24',
      ipv6: 'fd00:80::3/64',
      mac: '02:42:0a:50:00:03',
      gateway4: '10.80.0.1',
      gateway6: null,
      aliases: ['www'],
    },
  ],
  ports: ['127.0.0.1:8080->80/tcp'],
  startedAt: '2026-01-02T03:00:00.000Z',
  finishedAt: null,
  message: '',
  source,
  hint: '',
  conditions: [{ type: 'Ready', status: true, reason: 'Running', message: 'runs since 03:00' }],
  health: null,
};

const MIGRATE: ContainerView = {
  ...WEB,
  name: 'migrate',
  engineName: 'blog-migrate',
  id: 'c3'.repeat(32),
  phase: 'BackingOff',
  ready: false,
  pid: null,
  exitCode: 137,
  restarts: 11,
  address: null,
  ports: [],
  finishedAt: '2026-01-02T03:03:55.000Z',
  message: 'exited with 137, \u001b[31mnext try\u001b[0m in 4 s',
  hint: '`tsdocker logs blog/migrate` shows what it wrote.',
  conditions: [],
};

const IMAGE: ImageView = {
  name: 'nginx',
  app: 'blog',
  id: 'b2'.repeat(32),
  tags: ['nginx:1.27'],
  size: 58_301_234,
  created: '2025-12-30T03:04:05.000Z',
  phase: 'Ready',
  message: '',
  hint: '',
  source: { ...source, line: 3 },
  conditions: [],
};

const VOLUME: VolumeView = {
  name: 'data',
  app: 'blog',
  id: 'd4'.repeat(32),
  path: '/var/lib/tsdocker/vfs/dir/d4',
  phase: 'Ready',
  anonymous: null,
  releasedAt: null,
  usedBy: ['blog/web', 'blog/migrate'],
  message: '',
  hint: '',
  source: { ...source, line: 6 },
  conditions: [],
};

const NETWORK: NetworkView = {
  name: 'back',
  app: 'blog',
  driver: 'bridge',
  bridge: 'tsd5f00aa11',
  subnet: '10.80.0.0/24',
  gateway: '10.80.0.1',
  subnet6: 'fd12:3456:789a:1::/64',
  gateway6: 'fd12:3456:789a:1::1',
  phase: 'Ready',
  containers: 2,
  message: '',
  hint: '',
  source: { ...source, line: 9 },
  conditions: [],
};

const ISSUE = {
  code: 'TSD_MANIFEST_SCHEMA',
  message: 'unknown key "imgae"; did you mean "image"?',
  file: '/etc/tsdocker/manifests/shop.yaml',
  line: 4,
  column: 5,
  hint: 'See docs/manifest.md.',
};

const MANIFESTS: readonly ManifestView[] = [
  {
    file: source.file,
    app: 'blog',
    origin: 'watched',
    state: 'Active',
    generation: 7,
    issues: [],
    warnings: [],
    held: null,
    changed: null,
    hint: '',
  },
  {
    file: ISSUE.file,
    app: null,
    origin: 'applied',
    state: 'Rejected',
    generation: 5,
    issues: [ISSUE, ISSUE],
    warnings: [],
    held: null,
    changed: null,
    hint: ISSUE.hint,
  },
];

const PLAN: PlanView = {
  generation: 8,
  ops: [
    {
      id: 'start container/blog/web',
      op: 'container.start',
      resource: 'container/blog/web',
      cause: 'declared in blog.yaml:12:3',
      dependsOn: ['create container/blog/web'],
      source,
    },
  ],
  holds: [{ resource: 'container/blog/job', reason: 'dependency-not-ready', message: 'waits for blog/db', hint: '' }],
  issues: [],
  approvals: [],
  manifests: [],
  notes: [],
  text: '+ start container/blog/web: declared in blog.yaml:12:3\n',
};

const INFO: InfoView = {
  version: '0.1.0',
  instance: '5f00aa',
  id: 'ABCD:EFGH',
  root: '/var/lib/tsdocker',
  runDir: '/run/tsdocker',
  manifests: '/etc/tsdocker/manifests',
  socket: '/run/tsdocker/tsdocker.sock',
  graphDriver: 'overlay',
  execDriver: 'native',
  networkDriver: 'bridge',
  defaultBridge: 'tsdocker0',
  newNetworks: { ipv6: true, lacking: null },
  generation: 7,
  containers: 2,
  running: 1,
  images: 1,
  kernel: '6.12.0',
  cpus: 2,
  memoryBytes: 25_769_803_776,
  labels: ['rack=3'],
  memoryLimit: true,
  swapLimit: false,
  limits: { memory: true, memorySwap: false, cpus: true, cpuShares: true, cpuset: true, pids: true },
  ipv4Forwarding: true,
  ipv6Forwarding: false,
  appArmor: false,
  cgroupVersion: 2,
  warnings: ['swap limits are off'],
};

const CHECKS: readonly DoctorCheck[] = [
  { name: 'kernel', status: 'ok', message: '6.12.0', fix: null },
  { name: 'nftables', status: 'failed', message: 'libnftables.so.1 is missing', fix: 'apt-get install libnftables1' },
  { name: 'cgroups', status: 'warning', message: 'version 1', fix: null },
];

const HISTORY: readonly HistoryView[] = [
  {
    generation: 7,
    at: '2026-01-02T03:00:00.000Z',
    cause: 'edited blog.yaml',
    by: { uid: 1000, user: 'alice', via: 'file' },
    current: true,
    keeps: 'contents',
    files: [{ file: source.file, change: 'changed' }],
    resources: [
      { resource: 'container/blog/web', change: 'changed' },
      { resource: 'volume/blog/old', change: 'removed' },
    ],
    held: [{ app: 'shop', generation: 4, reason: 'rolled back to generation 4' }],
  },
  {
    generation: 6,
    at: '2026-01-01T03:00:00.000Z',
    cause: 'applied /srv/blog.yaml',
    by: { uid: 1001, user: null, via: 'api' },
    current: false,
    keeps: 'contents',
    files: [],
    resources: [],
    held: [],
  },
];

const WHY: WhyView = {
  resource: 'container/blog/web',
  phase: 'BackingOff',
  message: 'exited with 3, restart 12 after 4.0 s',
  source,
  steps: [
    {
      at: '2026-01-02T03:00:00.000Z',
      kind: 'edit',
      ok: true,
      text: 'env.MODE "a" -> "b"',
      cause: 'edited blog.yaml',
      generation: 7,
      source,
      log: [],
      times: 1,
    },
    {
      at: '2026-01-02T03:03:00.500Z',
      kind: 'exit',
      ok: false,
      text: 'exited with 3 (run 14)',
      cause: '',
      generation: 7,
      source: null,
      log: ['connecting to db', '\u001b[31mno route\u001b[0m'],
      times: 12,
    },
  ],
  now: ['backing-off: exited with 3, restart 12 after 4.0 s'],
  hint: '`tsdocker logs blog/web` shows what it wrote.',
};

const EVENTS: readonly EventView[] = [
  {
    id: 41,
    time: '2026-01-02T03:00:00.000Z',
    kind: 'start',
    resource: 'container/blog/web',
    generation: 7,
    what: 'container.start',
    ok: true,
    cause: 'env.MODE changed in blog.yaml:12:3',
    message: '',
    source,
    run: 3,
    log: [],
  },
  {
    id: 42,
    time: '2026-01-02T03:00:01.000Z',
    kind: 'exit',
    resource: 'container/blog/web',
    generation: 7,
    what: 'exited',
    ok: false,
    cause: '',
    message: 'exited with 3',
    source: null,
    run: 3,
    log: ['no route'],
  },
];

/** What a test sends through the seam: a supervisor of plain data that records its calls. */
export class PlainSupervisor implements ServedApi {
  readonly builds = new PlainBuilds();
  readonly imageFiles = new PlainImageFiles();
  readonly registry = new PlainRegistry();
  readonly jobs = new PlainJobs();
  /** Uids of who asked for a change, as the server says. */
  readonly askers: (number | null | undefined)[] = [];
  readonly asked: { readonly call: string; readonly with: unknown }[] = [];
  /** Replaces the events of the next apply, remove or load. */
  events: readonly ApplyEvent[] = [
    { type: 'accepted', generation: 8, plan: PLAN },
    { type: 'op', id: 'start container/blog/web', resource: 'container/blog/web', status: 'started', ms: 0 },
    { type: 'op', id: 'start container/blog/web', resource: 'container/blog/web', status: 'done', ms: 12 },
    { type: 'ready', generation: 8 },
  ];
  plans: PlanView = PLAN;
  pending: readonly ApprovalView[] = [
    {
      name: 'volume/blog/data',
      kind: 'volume',
      message: 'no longer declared and onRemove is delete',
      changes: [{ resource: 'volume/blog/data', change: 'deleted' }],
    },
  ];
  differences: readonly DiffView[] = [
    {
      resource: 'container/blog/web',
      change: 'changed',
      fields: [{ path: 'env.MODE', from: 'a', to: 'b', change: 'restart' }],
    },
    { resource: 'volume/blog/old', change: 'removed', fields: [] },
  ];
  entries: readonly LogEntry[] = [
    { log: 'listening on 80\n', stream: 'stdout', time: '2026-01-02T03:04:05.000000001Z' },
    { log: 'a long line, ', stream: 'stderr', time: '2026-01-02T03:04:05.000000002Z' },
    { log: 'continued\n', stream: 'stderr', time: '2026-01-02T03:04:05.000000003Z' },
    { log: '\u001b[32mgreen\u001b[0m\n', stream: 'stdout', time: '2026-01-02T03:04:05.000000004Z' },
  ];
  checks: readonly DoctorCheck[] = CHECKS;
  openFollowers = 0;
  sessions: PlainSession[] = [];
  containers: readonly ContainerView[] = [WEB, MIGRATE];
  /** What a client that attaches finds. */
  payload: Pick<ExecRequest, 'argv' | 'tty' | 'stdin'> = { argv: ['hold'], tty: false, stdin: false };

  version(): VersionView {
    return {
      version: VERSION,
      api: API_LEVEL,
      node: process.version,
      commit: 'c0ffee1',
      os: 'linux',
      arch: 'x64',
      kernel: '6.12.0',
    };
  }

  info(): InfoView {
    return INFO;
  }

  members(app: string): readonly string[] {
    const names = this.containers.filter((container) => container.app === app).map(({ name }) => `${app}/${name}`);
    if (names.length === 0) throw new TsdError('TSD_NO_SUCH_RESOURCE', `no app ${app} has containers`, { hint: '' });
    return names;
  }

  list<L extends keyof ViewOfKind>(list: L): readonly ViewOfKind[L][] {
    const lists: { readonly [K in keyof ViewOfKind]: readonly ViewOfKind[K][] } = {
      containers: this.containers,
      images: [IMAGE],
      volumes: [VOLUME],
      networks: [NETWORK],
      manifests: MANIFESTS,
    };
    return lists[list];
  }

  describe(kind: DescribeView['kind'], name: string): DescribeView {
    this.#record('describe', { kind, name });
    this.#known(name);
    return {
      kind,
      name: 'web',
      app: 'blog',
      view: WEB,
      hint: 'Try again.',
      spec: { image: 'nginx', env: { PASSWORD: 'tsd-secret:1f' }, ports: ['127.0.0.1:8080:80'] },
      specHash: 'e5'.repeat(32),
      generation: 7,
      ops: [{ at: '2026-01-02T03:00:00.000Z', op: 'container.start', cause: 'declared', status: 'done', message: '' }],
    };
  }

  async *apply(inputs: readonly ManifestInput[], { askedBy, ...options }: ApplyOptions): AsyncIterable<ApplyEvent> {
    this.askers.push(askedBy);
    this.#record('apply', { inputs, options });
    yield* this.events;
  }

  async plan(inputs: readonly ManifestInput[]): Promise<PlanView> {
    this.#record('plan', inputs);
    return this.plans;
  }

  async diff(inputs: readonly ManifestInput[]): Promise<readonly DiffView[]> {
    this.#record('diff', inputs);
    return this.differences;
  }

  async *remove({ askedBy, ...request }: RemoveRequest): AsyncIterable<ApplyEvent> {
    this.askers.push(askedBy);
    this.#record('remove', request);
    yield* this.events;
  }

  async reset(options: { readonly volumes: boolean }): Promise<{ stopped: number; stays: readonly string[] }> {
    this.#record('reset', options);
    return { stopped: 0, stays: [] };
  }

  async hostShutdown(): Promise<HostShutdownView> {
    this.#record('hostShutdown', null);
    return { stopped: 2, running: [], ending: [] };
  }

  approvals(): readonly ApprovalView[] {
    return this.pending;
  }

  async approve(names: readonly string[], askedBy?: number | null): Promise<ApprovedView> {
    this.askers.push(askedBy);
    this.#record('approve', names);
    return { names, postponed: null };
  }

  async stop(name: string, timeoutMs: number | null, forMs: number | null): Promise<void> {
    this.#record('stop', { name, timeoutMs, forMs });
    this.#known(name);
  }

  async start(name: string, options: StartOptions = {}): Promise<StartedView> {
    this.#record('start', { name, ...options });
    this.#known(name);
    return { state: name === 'migrate' ? 'completed' : 'ready', message: '' };
  }

  async restart(name: string, timeoutMs: number | null, options: StartOptions = {}): Promise<StartedView> {
    this.#record('restart', { name, timeoutMs, ...options });
    this.#known(name);
    return { state: 'ready', message: '' };
  }

  async kill(name: string, signal: string): Promise<void> {
    this.#record('kill', { name, signal });
    this.#known(name);
  }

  async wait(name: string): Promise<number> {
    this.#known(name);
    return name === 'web' ? 0 : 137;
  }

  async *logs(name: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogEntry> {
    this.#record('logs', { name, options });
    this.#known(name);
    yield* this.entries;
    if (!options.follow) return;
    this.openFollowers += 1;
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
    this.openFollowers -= 1;
  }

  async exec(name: string, request: ExecRequest): Promise<StdioSession> {
    this.#record('exec', { name, request });
    this.#known(name);
    if (request.argv[0] === 'missing') {
      throw new TsdError('TSD_COMMAND_NOT_FOUND', 'missing: not found in the container', { step: 'execve missing' });
    }
    const session = new PlainSession(request);
    this.sessions.push(session);
    return session;
  }

  async attach(name: string): Promise<AttachedSession> {
    this.#record('attach', name);
    this.#known(name);
    const session = new PlainSession(this.payload);
    this.sessions.push(session);
    return session;
  }

  async *load(path: string): AsyncIterable<ApplyEvent> {
    this.#record('load', path);
    yield { type: 'progress', resource: 'image/app:1', message: 'layer 1', current: 1024, total: 2048 };
    yield { type: 'result', resource: path, message: 'Loaded image: app:1' };
    yield { type: 'ready', generation: 0 };
  }

  history(limit: number): readonly HistoryView[] {
    this.#record('history', limit);
    return HISTORY;
  }

  historyDiff(generation: number): readonly DiffView[] {
    this.#record('historyDiff', generation);
    return this.differences;
  }

  async *rollback(generation: number, { askedBy, ...options }: RollbackOptions): AsyncIterable<ApplyEvent> {
    this.askers.push(askedBy);
    this.#record('rollback', { generation, options });
    yield* this.events;
  }

  why(kind: DescribeView['kind'], name: string): WhyView {
    this.#record('why', { kind, name });
    this.#known(name);
    return WHY;
  }

  async *timeline(options: EventOptions): AsyncIterable<EventView> {
    this.#record('timeline', options);
    yield* EVENTS;
  }

  async *watch<L extends keyof ViewOfKind>(list: L): AsyncIterable<readonly ViewOfKind[L][]> {
    this.#record('watch', list);
    yield this.list(list);
    yield this.list(list).slice(0, 1);
  }

  async doctor(): Promise<readonly DoctorCheck[]> {
    return this.checks;
  }

  #record(call: string, value: unknown): void {
    this.asked.push({ call, with: value });
  }

  #known(name: string): void {
    if (!['web', 'blog/web', 'migrate'].includes(name)) {
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `no container is named ${name}`);
    }
  }
}

/**
 * A session that behaves by its argv: `cat` echoes input until its end, `exit N` says so on stderr and ends,
 * `size` prints each size it is told until input ends, `hold` runs until it is signalled, `flood N` writes N MiB.
 */
export class PlainSession implements AttachedSession {
  readonly pid = 4711;
  readonly tty: boolean;
  readonly stdin: PassThrough | null;
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly exited: Promise<number>;
  readonly signals: number[] = [];
  readonly sizes: string[] = [];
  closed = false;
  #exit: (exitCode: number) => void = () => undefined;

  constructor({ argv, stdin, tty }: Pick<ExecRequest, 'argv' | 'tty' | 'stdin'>) {
    this.tty = tty;
    this.stdin = stdin ? new PassThrough() : null;
    this.exited = new Promise((resolve) => {
      this.#exit = (exitCode) => {
        this.stdout.end();
        this.stderr.end();
        resolve(exitCode);
      };
    });
    const [program, argument = '0'] = argv;
    if (program === 'cat' && this.stdin) {
      this.stdin.on('end', () => this.#exit(0));
      this.stdin.pipe(this.stdout, { end: false });
    } else if (program === 'size') {
      this.stdin?.on('data', (chunk: Buffer) => {
        if (chunk.includes('q')) this.#exit(0);
      });
    } else if (program === 'exit') {
      this.stderr.write(`leaving with ${argument}${tty ? '\r' : ''}\n`);
      this.#exit(Number(argument));
    } else if (program === 'flood') {
      void this.#flood(Number(argument)).then(() => this.#exit(0));
    }
  }

  resize(rows: number, columns: number): void {
    this.sizes.push(`${rows}x${columns}`);
    this.stdout.write(`${rows}x${columns}\r\n`);
  }

  signal(signal: number): void {
    this.signals.push(signal);
    this.#exit(128 + signal);
  }

  close(): void {
    this.closed = true;
  }

  /** How much of the flood the connection took. */
  floodedBytes = 0;

  async #flood(mebibytes: number): Promise<void> {
    const block = Buffer.alloc(64 * 1024, 'x');
    for (let sent = 0; sent < mebibytes * 1024 * 1024 && !this.stdout.destroyed; sent += block.length) {
      if (!this.stdout.write(block)) await new Promise((resolve) => this.stdout.once('drain', resolve));
      this.floodedBytes = sent + block.length;
    }
  }
}
