/** Apps that are made, edited, broken and removed at random, and what should run of them. */
import { BUSYBOX_IMAGE, shell } from '../manifests.ts';
import type { Random } from '../random.ts';

/** Lines that a job prints between its first and its last. */
export const JOB_LINES = 40;

export interface Member {
  readonly name: string;
  /** A service runs until its stop signal; a job prints its lines and ends with the code. */
  readonly kind: 'service' | 'job';
  readonly word: string;
  readonly exitCode: number;
  readonly network: 'bridge' | 'back' | 'none';
  readonly volume: boolean;
  readonly linked: boolean;
  readonly limited: boolean;
}

export interface App {
  readonly name: string;
  readonly ownImage: boolean;
  readonly members: readonly Member[];
}

const SERVICE = shell(
  'echo "start $WORD"; trap \'echo "stop $WORD"; exit 0\' TERM; while :; do sleep 3600 & wait; done',
);

const job = (code: number): string =>
  shell(
    `echo "start $WORD"; i=0; while [ $i -lt ${JOB_LINES} ]; do echo "line $i"; i=$((i+1)); done; echo "end $WORD"; exit ${code}`,
  );

/** Has an image that all apps share, and one container that nothing ever changes. */
export const BASE = `${BUSYBOX_IMAGE}containers:
  keeper: { image: busybox, command: ${SERVICE}, env: { WORD: keeper }, restart: always }
`;

export class AppMaker {
  readonly #random: Random;
  readonly #networks: number;
  #serial = 0;

  /** @param networks share of apps with a network of their own. */
  constructor(random: Random, networks: number) {
    this.#random = random;
    this.#networks = networks;
  }

  make(name: string): App {
    const members = Array.from({ length: 1 + this.#random.below(2) }, () => this.#member());
    return this.#sound({ name, ownImage: this.#random.chance(0.2), members });
  }

  /** Another app of the same name. Whatever differs has another word too, so that it can be seen when it is so. */
  edit(app: App): App {
    const edited = this.#edited(app);
    const before = new Map(app.members.map((member) => [member.name, memberText(app, member)]));
    const members = edited.members.map((member) => {
      const was = before.get(member.name);
      return was === undefined || was === memberText(edited, member) ? member : this.#renewed(member);
    });
    return this.#sound({ ...edited, members });
  }

  #edited(app: App): App {
    const { members } = app;
    const victim = this.#random.pick(members);
    const change = this.#random.below(6);
    if (change === 0 && members.length < 3) return this.#sound({ ...app, members: [...members, this.#member()] });
    if (change === 1 && members.length > 1) {
      return this.#sound({ ...app, members: members.filter((member) => member !== victim) });
    }
    if (change === 2) return { ...app, ownImage: !app.ownImage };
    return this.#sound({ ...app, members: members.map((it) => (it === victim ? this.#changed(it) : it)) });
  }

  /** The same with a new word everywhere, which lifts whatever holds it back. */
  renew(app: App): App {
    return this.#sound({ ...app, members: app.members.map((member) => this.#renewed(member)) });
  }

  #word(): string {
    return `w${this.#serial++}`;
  }

  #member(): Member {
    const kind = this.#random.chance(0.3) ? 'job' : 'service';
    return {
      name: `${kind}${this.#serial++}`,
      kind,
      word: this.#word(),
      exitCode: kind === 'job' ? this.#random.below(20) : 0,
      network: this.#network(),
      volume: this.#random.chance(0.2),
      linked: this.#random.chance(0.3),
      limited: this.#random.chance(0.2),
    };
  }

  #network(): Member['network'] {
    if (this.#random.chance(this.#networks)) return 'back';
    return this.#random.chance(0.2) ? 'none' : 'bridge';
  }

  #changed(member: Member): Member {
    const change = this.#random.below(5);
    if (change === 0) return { ...member, network: this.#network() };
    if (change === 1) return { ...member, volume: !member.volume };
    if (change === 2) return { ...member, limited: !member.limited };
    return { ...member, word: this.#word() };
  }

  /** A job that ends with an error after an edit is a failed update: an edited job is another one. */
  #renewed(member: Member): Member {
    const word = this.#word();
    return member.kind === 'job' ? { ...member, name: `job${this.#serial++}`, word } : { ...member, word };
  }

  /** Only what has an address can be linked, and only to what runs. */
  #sound(app: App): App {
    const target = linkTarget(app);
    const members = app.members.map((it) => ({
      ...it,
      linked: it.linked && target !== undefined && it !== target && it.network === target.network,
    }));
    return { ...app, members };
  }
}

function linkTarget({ members }: App): Member | undefined {
  return members.find(({ kind, network }) => kind === 'service' && network !== 'none');
}

function memberText(app: App, member: Member): string {
  const fields = [
    `image: ${app.ownImage ? 'busybox' : 'base/busybox'}`,
    `command: ${member.kind === 'service' ? SERVICE : job(member.exitCode)}`,
    `env: { WORD: ${member.word} }`,
    `network: ${member.network}`,
    `restart: "${member.kind === 'service' ? 'always' : 'no'}"`,
    ...(member.volume ? ['volumes: ["data:/data"]'] : []),
    ...(member.linked ? [`links: [${linkTarget(app)?.name}]`] : []),
    ...(member.limited ? ['resources: { pids: 50, memory: 64MiB }'] : []),
  ];
  return `  ${member.name}: { ${fields.join(', ')} }\n`;
}

export function manifestOf(app: App): string {
  const uses = (check: (member: Member) => boolean): boolean => app.members.some(check);
  return [
    app.ownImage ? BUSYBOX_IMAGE : '',
    uses(({ network }) => network === 'back') ? 'networks: { back: {} }\n' : '',
    uses(({ volume }) => volume) ? 'volumes: { data: {} }\n' : '',
    'containers:\n',
    ...app.members.map((member) => memberText(app, member)),
  ].join('');
}
