/** Paths of a Compose file that lies, or counts as lying, in another directory than the project. */
import { posix } from 'node:path';
import type { Part } from '../part.ts';

type Change = (part: Part) => Part;

/** `https://…`, `docker-image://…`, `service:db`, `git@…`: no paths. */
const isElsewhere = (text: string): boolean => /^[A-Za-z][\w+.-]*:|^[\w.-]+@[\w.-]+:/.test(text);

class Mover {
  readonly #from: string;
  readonly #to: string;

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  path(text: string): string {
    if (text === '' || text.startsWith('/') || text.startsWith('~')) return text;
    const moved = posix.relative(this.#to, posix.resolve(this.#from, text));
    if (moved === '') return '.';
    return moved.startsWith('../') || moved === '..' ? moved : `./${moved}`;
  }

  readonly text: Change = (part) =>
    part.content.type === 'text' ? part.with({ type: 'text', text: this.path(part.content.text) }) : part;

  readonly unlessElsewhere: Change = (part) =>
    part.content.type === 'text' && isElsewhere(part.content.text) ? part : this.text(part);

  /** A device may be many things; a path that starts at the file begins with a dot. */
  readonly directory: Change = (part) =>
    part.content.type === 'text' && part.content.text.startsWith('.') ? this.text(part) : part;

  readonly build: Change = (part) => {
    if (part.content.type !== 'mapping') return this.unlessElsewhere(part);
    const moved = members(part, { context: this.unlessElsewhere, additional_contexts: this.contexts });
    if (moved.content.type !== 'mapping' || moved.content.members.has('context')) return moved;
    const context = part.textAt(this.path('.'));
    return moved.with({ type: 'mapping', members: new Map([...moved.content.members, ['context', context]]) });
  };

  /** `name: path`, or a list of `name=path`. */
  readonly contexts: Change = (part) => {
    if (part.content.type === 'mapping') return each(part, this.unlessElsewhere);
    return items(part, (item) => {
      const [, name = '', path = ''] =
        /^([^=]*=)([\s\S]*)$/.exec(item.content.type === 'text' ? item.content.text : '') ?? [];
      return name === ''
        ? item
        : item.with({ type: 'text', text: name + (isElsewhere(path) ? path : this.path(path)) });
    });
  };

  readonly files: Change = (part) =>
    part.content.type === 'list' ? items(part, (item) => this.#file(item)) : this.text(part);

  #file(item: Part): Part {
    return item.content.type === 'mapping' ? members(item, { path: this.text }) : this.text(item);
  }

  readonly volumes: Change = (part) =>
    items(part, (item) => {
      if (item.content.type === 'mapping')
        return item.textOf('type') === 'bind' ? members(item, { source: this.text }) : item;
      if (item.content.type !== 'text' || !item.content.text.startsWith('.')) return item;
      const [source = '', ...rest] = item.content.text.split(':');
      return item.with({ type: 'text', text: [this.path(source), ...rest].join(':') });
    });

  /** `seccomp:unconfined`, `seccomp=./profile.json`. */
  readonly securityOptions: Change = (part) =>
    items(part, (item) => {
      const [, word = '', path = ''] =
        /^(seccomp[:=])(?!(?:unconfined|builtin)$)([\s\S]+)$/.exec(
          item.content.type === 'text' ? item.content.text : '',
        ) ?? [];
      return word === '' ? item : item.with({ type: 'text', text: word + this.path(path) });
    });

  readonly service: Change = (part) =>
    members(part, {
      build: this.build,
      env_file: this.files,
      label_file: this.files,
      volumes: this.volumes,
      security_opt: this.securityOptions,
      extends: (extension) => members(extension, { file: this.text }),
    });
}

/** Some members of a mapping changed. */
function members(part: Part, changes: Readonly<Record<string, Change>>): Part {
  if (part.content.type !== 'mapping') return part;
  const changed = [...part.content.members].map(([name, member]) => {
    const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
    return [name, change ? change(member) : member] as const;
  });
  return part.with({ type: 'mapping', members: new Map(changed) });
}

/** Every member of a mapping changed. */
function each(part: Part, change: Change): Part {
  if (part.content.type !== 'mapping') return part;
  const changed = [...part.content.members].map(([name, member]) => [name, change(member)] as const);
  return part.with({ type: 'mapping', members: new Map(changed) });
}

function items(part: Part, change: Change): Part {
  return part.content.type === 'list' ? part.with({ type: 'list', items: part.content.items.map(change) }) : part;
}

/** The file with the paths that start at `from` written so that they start at `to`. Both are absolute. */
export function moved(root: Part, from: string, to: string): Part {
  if (from === to) return root;
  const mover = new Mover(from, to);
  const file: Change = (part) => each(part, (one) => members(one, { file: mover.text }));
  return members(root, {
    services: (services) => each(services, mover.service),
    secrets: file,
    configs: file,
    volumes: (volumes) =>
      each(volumes, (volume) =>
        members(volume, { driver_opts: (options) => members(options, { device: mover.directory }) }),
      ),
  });
}
