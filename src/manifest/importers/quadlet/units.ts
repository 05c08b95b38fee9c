/** The units of one directory, and what they are called here. */
import { basename } from 'node:path';
import { isReservedName } from '../../../model/network-mode.ts';
import { isDropIn, isUnitFile, type NamedText, unitOfDropIn } from '../bundle.ts';
import type { Draft, ImportContext, ResourceDraft } from '../draft.ts';
import { imageReference, safeName } from '../names.ts';
import { type Entry, Unit, unitName } from './unit-file.ts';

/** Directory that a volume with bind options stands for. */
export function boundDirectory(unit: Unit): string | null {
  const bind =
    unit.last('Volume', 'Type')?.text() === 'bind' || /\bbind\b/.test(unit.last('Volume', 'Options')?.text() ?? '');
  return bind ? (unit.last('Volume', 'Device')?.text() ?? null) : null;
}

/** The image that an .image or .build unit stands for; null when it names none. */
export function imageOf(unit: Unit): string | null {
  const tag = unit.name.type === 'build' ? unit.all('Build', 'ImageTag')[0] : unit.last('Image', 'Image');
  return tag ? imageReference(tag.text()) : null;
}

/** True for an .image unit that says more than which image: it becomes a declaration of its own. */
export function isDeclared(unit: Unit): boolean {
  return ['Policy', 'Arch', 'OS', 'Variant'].some((key) => unit.last('Image', key) !== undefined);
}

const tagsOf = (unit: Unit): readonly string[] =>
  unit.all('Build', 'ImageTag').map((tag) => imageReference(tag.text()));

/** A template has no instance of its own; `DefaultInstance` names the one that is started. */
function withInstance(unit: Unit, parts: readonly NamedText[], draft: Draft): Unit | null {
  if (unit.name.instance !== '') return unit;
  const instance = unit.last('Install', 'DefaultInstance')?.text();
  if (instance !== undefined) return new Unit({ ...unit.name, instance }, parts, draft);
  draft.warn(unit.start, `${unit.name.file} is a template; without DefaultInstance nothing is made of it`);
  return null;
}

function readUnits(files: readonly NamedText[], draft: Draft): Unit[] {
  const units: Unit[] = [];
  for (const file of files) {
    if (!isUnitFile(file.file)) continue;
    const dropIns = files.filter((other) => isDropIn(other.file) && unitOfDropIn(other.file) === file.file);
    const parts = [file, ...dropIns.sort((a, b) => (a.file < b.file ? -1 : 1))];
    const unit = withInstance(new Unit(unitName(file.file), parts, draft), parts, draft);
    if (unit) units.push(unit);
  }
  for (const { file } of files) {
    if (isDropIn(file) && !files.some((other) => other.file === unitOfDropIn(file))) {
      draft.warn(
        { file, line: 1, column: 1 },
        `${basename(unitOfDropIn(file))} is not there; this part of it is left out`,
      );
    }
  }
  return units;
}

/** The units of a directory, and what they are called here. */
export class Units {
  readonly draft: Draft;
  readonly context: ImportContext;
  readonly files: readonly NamedText[];
  readonly #units: readonly Unit[];

  constructor(files: readonly NamedText[], context: ImportContext, draft: Draft) {
    this.draft = draft;
    this.context = context;
    this.files = files;
    this.#units = readUnits(files, draft);
  }

  ofType(type: string): Unit[] {
    return this.#units.filter((unit) => unit.name.type === type);
  }

  /** The unit of a file name; an issue when it is not there. */
  find(file: string, entry: Entry): Unit | null {
    const found = this.#units.find((unit) => unit.name.file === file);
    // A template's name is written with the instance, its file without.
    const at = file.indexOf('@');
    const dot = at < 0 ? -1 : file.indexOf('.', at);
    const template = dot < 0 ? null : `${file.slice(0, at)}@${file.slice(dot)}`;
    const unit = found ?? this.#units.find(({ name }) => `${name.prefix}@.${name.type}` === template);
    if (!unit) this.draft.refuse(entry.at, `${entry.key}: there is no unit ${file.slice(0, 120)} beside this one`);
    return unit ?? null;
  }

  /** Our name of a unit's resource. */
  nameOf({ name: { prefix, instance } }: Unit): string {
    return safeName(instance === null || instance === '' ? prefix : `${prefix}-${instance}`) ?? 'unit';
  }

  /** As {@link nameOf}; words that are modes get an ending. */
  networkName(unit: Unit): string {
    const name = this.nameOf(unit);
    return isReservedName(name) ? `${name}-network` : name;
  }

  /** A path of the host; relative ones start at the unit's directory. */
  path(written: string): string {
    return /^[/.]/.test(written) ? written : `./${written}`;
  }

  /** What stands left of a mount: a `.volume` unit, a path, or the name of a volume. */
  mountSource(source: string, entry: Entry): string {
    if (source.endsWith('.volume')) {
      const unit = this.find(source, entry);
      return unit ? (boundDirectory(unit) ?? this.nameOf(unit)) : 'missing';
    }
    if (/^[/.]/.test(source)) return source;
    const name = safeName(source) ?? 'volume';
    this.draft.resource('volumes', name, entry.at);
    return name;
  }

  /** An image's full name, or that of one that is built here; null after an issue. */
  image(entry: Entry): string | null {
    const text = entry.text();
    if (!/\.(image|build)$/.test(text)) {
      const reference = imageReference(text);
      const built = this.ofType('build').find((unit) => tagsOf(unit).includes(reference));
      return built ? this.nameOf(built) : reference;
    }
    const unit = this.find(text, entry);
    return unit && (unit.name.type === 'build' || isDeclared(unit) ? this.nameOf(unit) : imageOf(unit));
  }

  rootfs(entry: Entry, container: ResourceDraft): void {
    const [path = '', ...options] = entry.text().split(':');
    if (options.length > 0) container.warn(entry.at, `options of Rootfs are left out: ${options.join(':')}`);
    container.warn(
      entry.at,
      'Rootfs becomes an image: the directory is copied, and the container does not write to it',
    );
    this.draft.resource('images', container.name, entry.at).set('rootfs', this.path(path), entry.at);
    container.set('image', container.name, entry.at);
  }
}
