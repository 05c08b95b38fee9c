/** Secret= of a container unit (podman-run(1), "--secret"): values come from files beside the units. */
import type { ResourceDraft } from '../draft.ts';
import { mountText } from '../mount.ts';
import type { Entry } from './unit-file.ts';

/** Podman's own rule for names, which keeps a name from leading out of the directory. */
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,252}$/;

interface Secret {
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
}

/** `NAME[,option=value…]`, or `source=NAME` among the options. */
function parseSecret(word: string): Secret {
  const options = new Map<string, string>();
  let name = '';
  for (const [index, part] of word.split(',').entries()) {
    const equals = part.indexOf('=');
    if (equals >= 0) options.set(part.slice(0, equals), part.slice(equals + 1));
    else if (index === 0) name = part;
    else options.set(part, '');
  }
  return { name: options.get('source') ?? name, options };
}

const KNOWN = ['source', 'type', 'target', 'uid', 'gid', 'mode'];

export function addSecrets(entry: Entry, container: ResourceDraft): void {
  for (const word of entry.words()) addSecret(parseSecret(word), entry, container);
}

function addSecret({ name, options }: Secret, entry: Entry, container: ResourceDraft): void {
  const type = options.get('type') ?? 'mount';
  if (!NAME.test(name)) {
    container.refuse(entry.at, `Secret: ${JSON.stringify(name.slice(0, 80))} is not the name of a secret`);
    return;
  }
  if (type !== 'mount' && type !== 'env') {
    container.refuse(entry.at, `Secret: ${JSON.stringify(type.slice(0, 40))} is not a type; expected mount or env`);
    return;
  }
  const path = `./secrets/${name}`;
  const target = options.get('target') ?? '';
  if (type === 'env') container.put('env', target === '' ? name : target, { fromFile: path }, entry.at);
  else {
    const place = target === '' ? name : target;
    const absolute = place.startsWith('/') ? place : `/run/secrets/${place}`;
    container.append('volumes', mountText({ source: path, target: absolute, readOnly: true, secret: true }), entry.at);
  }
  const command = `podman secret inspect --showsecret --format '{{.SecretData}}' ${name}`;
  container.warnOnce(
    entry.at,
    `Secret ${name}: its value is read from ${path} beside the unit; \`${command}\` prints it`,
  );
  const owner = ['uid', 'gid', 'mode'].filter((option) => options.has(option));
  if (owner.length > 0 && type === 'mount') {
    container.warn(
      entry.at,
      `Secret ${name}: ${owner.join(', ')}: the file keeps the owner and mode it has on the host`,
    );
  }
  for (const option of options.keys()) {
    if (!KNOWN.includes(option)) container.warn(entry.at, `Secret ${name}: option ${option.slice(0, 40)} is left out`);
  }
}
