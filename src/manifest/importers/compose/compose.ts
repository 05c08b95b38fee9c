/** Compose files (the Compose specification) as manifests. */
import { basename } from 'node:path';
import type { Draft, ImportContext, ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { respectNamespaces } from '../namespaces.ts';
import { respectMode } from '../network-mode.ts';
import type { FieldTable, Part } from '../part.ts';
import { HostNames } from './host-names.ts';
import { readImageOrigin } from './image-origin.ts';
import { addLinks, type Placed } from './links.ts';
import { type ComposeFile, type LoadedProject, ProjectLoader } from './loader.ts';
import { Networks } from './networks.ts';
import { readProject } from './project.ts';
import { readUpdate } from './running.ts';
import { SERVICE } from './service.ts';
import { Storage } from './storage.ts';

const ROOT: FieldTable<Draft> = {
  version: 'no meaning: Compose itself does not look at it any more',
  name: (part, draft) => {
    const name = safeName(part.text());
    if (name === null) draft.refuse(part.at, `${JSON.stringify(part.text())} cannot be the name of an app`);
    else draft.nameApp(name, part.at);
  },
  services: () => {},
  networks: () => {},
  volumes: () => {},
  secrets: () => {},
  configs: () => {},
  models: 'later',
};

/** Names of files that say nothing about what is in them; Compose then takes the directory's name. */
function composeAppName({ file, baseDir }: ImportContext): string | null {
  const stem = basename(file).replace(/\.ya?ml$/, '');
  const generic = /^(docker-)?compose([.-].*)?$/.test(stem);
  return safeName(generic ? basename(baseDir) : stem.replace(/\.(docker-)?compose$/, ''));
}

class Importer {
  readonly #project: LoadedProject;
  readonly #context: ImportContext;
  readonly #draft: Draft;

  constructor(project: LoadedProject, context: ImportContext, draft: Draft) {
    this.#project = project;
    this.#context = context;
    this.#draft = draft;
  }

  run(): void {
    const { root, values } = this.#project;
    root.each(ROOT, this.#draft, this.#draft);
    const { services, known } = readProject(this.#project, this.#draft);
    const networks = new Networks(root, this.#draft);
    const storage = new Storage(root, values, this.#draft);
    const placed = new Map<string, Placed>();
    for (const [name, service] of services) {
      const container = this.#container(name, service, storage);
      if (!container) continue;
      const attachment = networks.attach(service, container);
      respectMode(container);
      respectNamespaces(container);
      readUpdate(service, container);
      placed.set(name, { service, container, attachment });
    }
    for (const one of placed.values()) addLinks(one, placed, known);
    new HostNames(placed).warn();
    storage.declareAll();
  }

  #container(name: string, service: Part, storage: Storage): ResourceDraft | null {
    const own = safeName(name);
    if (own === null) {
      this.#draft.refuse(service.keyAt, `${JSON.stringify(name)} cannot be the name of a container`);
      return null;
    }
    const container = this.#draft.newResource('containers', own, service.keyAt);
    const build = service.get('build');
    const built = build === undefined || build.isNothing ? null : this.#draft.newResource('images', own, build.keyAt);
    const { values } = this.#project;
    service.each(SERVICE, { container, storage, context: this.#context, variables: values, built }, container);
    readImageOrigin(this.#draft, service, container, built);
    return container;
  }
}

/** @param files of one project, in the order in which they are merged. */
export function importCompose(files: readonly ComposeFile[], context: ImportContext, draft: Draft): void {
  const name = composeAppName(context);
  if (name !== null) draft.nameApp(name, draft.start);
  const project = new ProjectLoader(context, draft).load(files);
  if (project) new Importer(project, context, draft).run();
}
